"""Migrations, on a real Postgres."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from session_service.database import migration_engine
from session_service.schema import (
    MIGRATIONS,
    alembic_config,
    current_revision,
    migrate,
    newest_revision,
    write_migration,
)
from session_service.tables import Base

WRITTEN_BY_0001 = (
    "INSERT INTO tenants (id, name) VALUES ('ten_1', 'acme')",
    "INSERT INTO sessions (id, tenant_id, title, metadata) VALUES ('sess_1', 'ten_1', NULL, '{}')",
    "INSERT INTO turns (id, tenant_id, session_id, seq, request_id, body_hash, model, prompt_tokens, dropped_messages,"
    " dropped_tokens) VALUES ('1', 'ten_1', 'sess_1', 1, 'r', 'h', 'm', 1, 0, 0)",
    "INSERT INTO messages (id, tenant_id, session_id, turn_id, position, role, name, content, tokens, is_reply)"
    " VALUES ('msg_1', 'ten_1', 'sess_1', '1', 0, 'user', NULL, 'Hello', 1, false)",
    "UPDATE turns SET state = 'done', finish_reason = 'stop', finished_at = now() WHERE id = '1'",
)
"""Every table that has changed since, as the statements of 0.1.0 name its columns."""


def test_an_empty_database_is_brought_to_the_newest_revision(database_url: str) -> None:
    assert current_revision(database_url) is None

    assert migrate(database_url) == newest_revision()

    assert current_revision(database_url) == newest_revision()


def test_migrations_and_tables_agree(database_url: str) -> None:
    migrate(database_url)

    with migration_engine(database_url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        differences = compare_metadata(context, Base.metadata)

    assert differences == []


def test_processes_that_migrate_at_once_do_not_disturb_each_other(database_url: str) -> None:
    command_line = [sys.executable, "-m", "session_service.admin", "migrate"]
    environment = {**os.environ, "DATABASE_URL": database_url}

    started = [subprocess.Popen(command_line, env=environment, stdout=subprocess.PIPE) for _ in range(2)]

    for process in started:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert json.loads(output) == {"revision": newest_revision()}


def test_migrating_again_changes_nothing(database_url: str) -> None:
    migrate(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO tenants (id, name) VALUES ('ten_1', 'acme')")

    migrate(database_url)

    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM tenants").fetchone() == (1,)


def test_what_the_version_before_writes_fits_into_the_newest_schema(database_url: str) -> None:
    migrate(database_url)

    with psycopg.connect(database_url) as connection:
        for statement in WRITTEN_BY_0001:
            connection.execute(statement)

        kinds = connection.execute("SELECT kind FROM sessions").fetchall()
    assert kinds == [("session",)]


def test_a_database_that_is_further_is_left_alone(database_url: str) -> None:
    migrate(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    assert migrate(database_url) == "9999"


def test_every_migration_can_be_undone(database_url: str) -> None:
    migrate(database_url)

    downgrade(database_url)

    with psycopg.connect(database_url) as connection:
        left = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert left == [("alembic_version",)]


def test_a_migration_is_written_from_a_change_of_the_tables(database_url: str, tmp_path: Path) -> None:
    migrate(database_url)
    for migration in (MIGRATIONS / "versions").glob("v*.py"):
        shutil.copy(migration, tmp_path)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE sessions DROP COLUMN title")

    written = write_migration(database_url, "Titles", tmp_path)

    assert written.name == f"v{int(newest_revision()) + 1:04}_titles.py"
    assert "op.add_column('sessions', sa.Column('title'" in written.read_text().replace('"', "'")


def downgrade(database_url: str) -> None:
    config = alembic_config()
    with migration_engine(database_url).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
