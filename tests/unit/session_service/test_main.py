"""A wrong setting ends the start with one sentence."""

import os

import pytest

from session_service.main import main


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("SESSION_", "DROVER_", "DATABASE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SESSION_KEY_PEPPER", "a pepper that is long enough")
    monkeypatch.setenv("DROVER_INTERNAL_TOKEN", "token")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SESSION_KEY_PEPPER", "short", "SESSION_KEY_PEPPER is missing or shorter"),
        ("DROVER_INTERNAL_TOKEN", "", "DROVER_INTERNAL_TOKEN is missing"),
        ("SESSION_PROT", "1", "Unknown setting SESSION_PROT"),
        ("SESSION_PORT", "many", "SESSION_PORT"),
        ("DATABASE_URL", "mysql://localhost/x", "DATABASE_URL must begin with postgresql://"),
    ],
)
def test_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit, match=sentence) as ended:
        main()

    assert "\n" not in str(ended.value)
