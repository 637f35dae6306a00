"""Start-up checks: wait a little for Postgres and Redis, then say in one sentence what is missing."""

import time

import redis
from redis.exceptions import RedisError

from session_service.database import check_connection
from session_service.schema import current_revision, is_current
from session_service.settings import SessionSettings
from shared.errors import UnavailableError
from shared.settings import ConfigurationError

PATIENCE_S = 10.0
"""Long enough for servers that start together with us."""

PAUSE_S = 0.25


def wait_for_postgres(settings: SessionSettings) -> None:
    """Raises ConfigurationError if Postgres does not answer in time."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return check_connection(settings.database_url.get_secret_value())
        except UnavailableError as error:
            if time.monotonic() > end:
                raise ConfigurationError(
                    f"Postgres cannot be reached: start it, or set DATABASE_URL to one that runs. ({error.message})"
                ) from error
            time.sleep(PAUSE_S)


def wait_for_redis(settings: SessionSettings) -> None:
    """Raises ConfigurationError if Redis does not answer in time."""
    end = time.monotonic() + PATIENCE_S
    try:
        client = redis.Redis.from_url(settings.redis_url, socket_connect_timeout=1, socket_timeout=1)
    except ValueError as error:
        raise ConfigurationError("REDIS_URL must look like redis://host:6379/0.") from error
    with client:
        while True:
            try:
                client.ping()
                return
            except RedisError as error:
                if time.monotonic() > end:
                    raise ConfigurationError(
                        "Redis cannot be reached: start it, or set REDIS_URL to one that runs. "
                        f"({type(error).__name__})"
                    ) from error
                time.sleep(PAUSE_S)


def require_schema(settings: SessionSettings) -> None:
    """Raises ConfigurationError if the database is not yet at the revision that this code needs."""
    if not is_current(current_revision(settings.database_url.get_secret_value())):
        raise ConfigurationError(
            "The database's schema is not the one that this version needs: "
            "run `python -m session_service.admin migrate`."
        )
