"""Compose's one-shot `keys`: stores the two keys of .env, and refuses public secrets where other machines can call."""

import ipaddress
import os
import subprocess
import sys

PUBLIC = "development-only"
SECRETS = ("DROVER_API_KEY", "DROVER_ADMIN_KEY", "DROVER_INTERNAL_TOKEN", "SESSION_KEY_PEPPER", "DATABASE_URL")


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


if __name__ == "__main__":
    refuse_public_secrets()
    make_key(os.environ["DROVER_API_KEY"], "user")
    make_key(os.environ["DROVER_ADMIN_KEY"], "admin")
    sys.stdout.write("the tenant `default` has its keys\n")
