#!/bin/sh
# Prints new random secrets for the Compose stack: `sh deploy/compose/secrets.sh >> .env`. Needs nothing but a shell.
# Keep them: with another pepper no key is valid any more, with another password Postgres does not let anybody in.
random() {
    od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

echo "DROVER_API_KEY=drv_$(random 8)_$(random 32)"
echo "DROVER_ADMIN_KEY=drv_$(random 8)_$(random 32)"
for name in DROVER_INTERNAL_TOKEN SESSION_KEY_PEPPER POSTGRES_PASSWORD REDIS_PASSWORD RABBITMQ_PASSWORD GRAFANA_PASSWORD; do
    echo "$name=$(random 32)"
done
