"""The forms of DATABASE_URL."""

import pytest

from session_service.database import driver_url
from shared.settings import ConfigurationError


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_postgres_url_gets_our_driver(scheme: str) -> None:
    url = driver_url(f"{scheme}://user:secret@db:5432/drover")

    assert url.render_as_string(hide_password=False) == "postgresql+psycopg://user:secret@db:5432/drover"


def test_a_unix_socket_stays_one() -> None:
    url = driver_url("postgresql://postgres:@/postgres?host=/tmp/state/pg")

    assert (url.host, url.database, url.query["host"]) == (None, "postgres", "/tmp/state/pg")


@pytest.mark.parametrize("wrong", ["mysql://localhost/x", "not a url", ""])
def test_anything_else_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL must"):
        driver_url(wrong)
