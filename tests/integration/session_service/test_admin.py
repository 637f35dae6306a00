"""The operator's commands on a real Postgres."""

import json

import pytest

from session_service import admin
from session_service.schema import newest_revision
from session_service.settings import SessionSettings
from tests.integration.session_service.caller import Rows

KEY = "drv_demo_" + "x" * 32


@pytest.fixture(autouse=True)
def environment(settings: SessionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("SESSION_KEY_PEPPER", settings.key_pepper.get_secret_value())


def test_a_key_is_made_and_made_again(capsys: pytest.CaptureFixture[str], rows: Rows) -> None:
    for role in ("user", "admin"):
        admin.main(["create-key", "--tenant", "acme", "--role", role, "--key", KEY, "--requests-per-minute", "5"])

    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == second == {"tenant_id": first["tenant_id"], "key_id": "demo", "api_key": KEY}
    assert rows.all("SELECT id, role, requests_per_minute, tokens_per_minute FROM api_keys") == [
        ("demo", "admin", 5, None)
    ]


def test_migrating_says_the_revision(capsys: pytest.CaptureFixture[str]) -> None:
    admin.main(["migrate"])

    assert json.loads(capsys.readouterr().out) == {"revision": newest_revision()}


def test_a_malformed_key_is_one_clear_sentence() -> None:
    with pytest.raises(SystemExit, match=r"must look like drv_<id>_<secret>"):
        admin.main(["create-key", "--tenant", "acme", "--key", "secret"])


def test_without_a_migrated_schema_the_sentence_says_what_to_do(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)

    with pytest.raises(SystemExit, match=r"session_service\.admin migrate"):
        admin.main(["create-key", "--tenant", "acme"])
