"""What is said when a server is away; the patience is shortened, the servers are really not there."""

from contextlib import nullcontext

import pytest
from pydantic import SecretStr

from session_service import startup
from session_service.schema import newest_revision
from session_service.settings import SessionSettings
from shared.settings import ConfigurationError
from tests.integration.session_service.caller import Rows


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "PATIENCE_S", 0.1)


def test_without_postgres_the_sentence_says_what_to_do(settings: SessionSettings) -> None:
    nowhere = settings.model_copy(update={"database_url": SecretStr("postgresql://nobody:secret@127.0.0.1:1/no")})

    with pytest.raises(ConfigurationError, match=r"start it, or set DATABASE_URL") as raised:
        startup.wait_for_postgres(nowhere)

    assert "secret" not in str(raised.value)


def test_without_redis_the_sentence_says_what_to_do(settings: SessionSettings) -> None:
    with pytest.raises(ConfigurationError, match=r"start it, or set REDIS_URL"):
        startup.wait_for_redis(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))


@pytest.mark.parametrize(("revision", "is_refused"), [("0001", True), ("9999", False)])
def test_an_older_schema_is_refused_and_a_newer_one_is_not(
    settings: SessionSettings, rows: Rows, revision: str, is_refused: bool
) -> None:
    rows.run("UPDATE alembic_version SET version_num = %s", revision)
    try:
        with pytest.raises(ConfigurationError, match="admin migrate") if is_refused else nullcontext():
            startup.require_schema(settings)
    finally:
        rows.run("UPDATE alembic_version SET version_num = %s", newest_revision())


def test_with_both_nothing_is_said(settings: SessionSettings) -> None:
    startup.wait_for_postgres(settings)
    startup.wait_for_redis(settings)
    startup.require_schema(settings)
