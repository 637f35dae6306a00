"""Compose's one-shot `keys`: stores the two keys of .env, and says how to call the stack with them."""

import ipaddress
import os
import subprocess
import sys

PUBLIC = "development-only"
SECRETS = ("DROVER_API_KEY", "DROVER_ADMIN_KEY", "DROVER_INTERNAL_TOKEN", "SESSION_KEY_PEPPER", "DATABASE_URL")

BODY = '{"model":"drover-tiny","stream":true,"messages":[{"role":"user","content":"What is the capital of France?"}]}'


def is_loopback(address: str) -> bool:
    """Whether only this machine can call there."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost"


def refuse_public_secrets() -> None:
    """Ends with a sentence when the stack would be open to others under secrets that stand in the repository."""
    public = [name.replace("DATABASE_URL", "POSTGRES_PASSWORD") for name in SECRETS if PUBLIC in os.environ[name]]
    if public and not is_loopback(os.environ["DROVER_BIND"]):
        sys.exit(
            f"DROVER_BIND={os.environ['DROVER_BIND']} lets other machines in, but {', '.join(public)} in .env "
            "are missing or the public defaults: `sh deploy/compose/secrets.sh >> .env` makes new ones."
        )


def make_key(key: str, role: str) -> None:
    """The same key again changes nothing."""
    admin = [sys.executable, "-m", "session_service.admin"]
    made = subprocess.run(
        [*admin, "create-key", "--tenant", "default", "--role", role, "--key", key], stdout=subprocess.DEVNULL
    )
    if made.returncode:
        sys.exit(made.returncode)


def welcome(address: str, port: str, key: str) -> str:
    """What a person wants to know; the key only if it is public anyway, because logs are kept."""
    host = "127.0.0.1" if address in ("0.0.0.0", "[::]", "::") else address
    url = f"http://{host}:{port}"
    shown = key if PUBLIC in key else "$DROVER_API_KEY"
    known = f"{key}  (public: for this machine only)" if PUBLIC in key else "DROVER_API_KEY of .env"
    return (
        f"Drover will be at {url}\n"
        f"key: {known}\n"
        f'curl -N {url}/v1/chat/completions -H "Authorization: Bearer {shown}" -H "Content-Type: application/json" '
        f"-d '{BODY}'\n"
    )


if __name__ == "__main__":
    refuse_public_secrets()
    make_key(os.environ["DROVER_API_KEY"], "user")
    make_key(os.environ["DROVER_ADMIN_KEY"], "admin")
    sys.stdout.write(welcome(os.environ["DROVER_BIND"], os.environ["DROVER_PORT"], os.environ["DROVER_API_KEY"]))
