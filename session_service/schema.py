"""The schema's version: migrate the database, and tell whether that has been done."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from session_service.database import migration_engine

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(database_url: str) -> str:
    """Bring the database to the newest revision that this code knows, and return the one that it is at then.

    Does nothing when it is there already or further. Safe when several processes do it at once.
    """
    if is_current(at := current_revision(database_url)):
        return at or ""
    engine = migration_engine(database_url)
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return newest_revision()


def write_migration(database_url: str, message: str, folder: Path = MIGRATIONS / "versions") -> Path:
    """Write what leads from the database, which must be at the newest revision, to tables.py; read it before use."""
    config = alembic_config()
    config.set_main_option("path_separator", "newline")  # a folder's name may have spaces and colons
    config.set_main_option("version_locations", str(folder))
    config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
    revision = f"{int(newest_revision() or 0) + 1:04}"
    with migration_engine(database_url).begin() as connection:
        config.attributes["connection"] = connection
        command.revision(config, message, autogenerate=True, rev_id=revision)
    return next(folder.glob(f"v{revision}_*.py"))


def current_revision(database_url: str) -> str | None:
    """The revision that the database is at; None when it has never been migrated."""
    with migration_engine(database_url).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_current(revision: str | None) -> bool:
    """Whether this code can work with a database at `revision`.

    It can with a newer one too: migrations only add, so that an old process may start again during an upgrade.
    """
    return revision is not None and revision >= newest_revision()


def newest_revision() -> str:
    """The revision that this code needs."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head() or ""


def alembic_config() -> Config:
    """Alembic's configuration; whoever runs a command adds the connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
