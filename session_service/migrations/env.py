"""How Alembic runs: on the connection that schema.py hands in, one process at a time."""

from alembic import context
from sqlalchemy import Connection, text

from session_service.tables import Base

# Any number will do, as long as all processes that migrate this database take the same one.
MIGRATION_LOCK = 7_231_847_001


def run(connection: Connection) -> None:
    """Migrate in one transaction. A second process waits here, then finds that nothing is left to do."""
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        context.run_migrations()


run(context.config.attributes["connection"])
