"""The operator's commands: `python -m session_service.admin migrate`, `… create-key`, `… write-migration`."""

import argparse
import asyncio
import json
import sys
from typing import get_args

from session_service.database import Database
from session_service.keys import MadeKey, create_key
from session_service.schema import migrate, write_migration
from session_service.settings import SessionSettings
from session_service.startup import require_schema, wait_for_postgres
from shared.bodies.keys import Limits, Role
from shared.errors import DroverError
from shared.settings import ConfigurationError


def main(arguments: list[str] | None = None) -> None:
    """Run one command and print its answer as JSON. Exit status 1 with one sentence on stderr if it fails."""
    chosen = _parser().parse_args(arguments)
    try:
        settings = SessionSettings.load()
        answer = _COMMANDS[chosen.command](settings, chosen)
    except (ConfigurationError, DroverError) as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(answer) + "\n")


def _migrate(settings: SessionSettings, _chosen: argparse.Namespace) -> dict[str, str]:
    wait_for_postgres(settings)
    return {"revision": migrate(settings.database_url.get_secret_value())}


def _write_migration(settings: SessionSettings, chosen: argparse.Namespace) -> dict[str, str]:
    wait_for_postgres(settings)
    require_schema(settings)
    return {"file": str(write_migration(settings.database_url.get_secret_value(), chosen.message))}


def _create_key(settings: SessionSettings, chosen: argparse.Namespace) -> dict[str, str]:
    settings.require_pepper()
    wait_for_postgres(settings)
    require_schema(settings)
    made = asyncio.run(_stored_key(settings, chosen))
    return {"tenant_id": made.tenant_id, "key_id": made.key_id, "api_key": made.api_key}


_COMMANDS = {"migrate": _migrate, "create-key": _create_key, "write-migration": _write_migration}


async def _stored_key(settings: SessionSettings, chosen: argparse.Namespace) -> MadeKey:
    database = Database(settings)
    limits = Limits(
        requests_per_minute=chosen.requests_per_minute,
        tokens_per_minute=chosen.tokens_per_minute,
        concurrent_jobs=chosen.concurrent_jobs,
    )
    try:
        async with database.transaction() as tx:
            return await create_key(
                tx,
                tenant=chosen.tenant,
                role=chosen.role,
                pepper=settings.key_pepper,
                api_key=chosen.key,
                limits=limits,
            )
    finally:
        await database.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m session_service.admin", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the database's schema to the newest revision")
    migration = commands.add_parser("write-migration", help="for developers: write the next migration from tables.py")
    migration.add_argument("--message", required=True, type=_name, help="what changes")
    key = commands.add_parser("create-key", help="make an API key, and its tenant if there is none of that name")
    key.add_argument("--tenant", required=True, type=_name, help="the tenant's name")
    key.add_argument("--role", choices=get_args(Role), default="user")
    key.add_argument("--key", help="this key instead of a random one; making it again sets its role and limits")
    for limit in ("requests-per-minute", "tokens-per-minute", "concurrent-jobs"):
        key.add_argument(f"--{limit}", type=_limit, help="0: no limit; not given: the service's default")
    return parser


def _name(text: str) -> str:
    if not text.strip() or "\x00" in text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text.strip()


def _limit(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**31:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


if __name__ == "__main__":
    main()
