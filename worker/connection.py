"""The worker's connection to Redis, awaited at start."""

import time

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.settings import ConfigurationError

log = structlog.get_logger(__name__)

_SOCKET_TIMEOUT_S = 2.0
_PAUSE_S = 0.25


def connect(url: str, *, timeout_s: float) -> redis.Redis:
    """A client of the Redis at `url`, which has answered. Raises ConfigurationError if it does not in `timeout_s`.

    The client re-sends once, at once: that mends a connection that Redis has closed. Longer patience is the callers'.
    """
    try:
        client = redis.Redis.from_url(
            url,
            socket_timeout=_SOCKET_TIMEOUT_S,
            socket_connect_timeout=_SOCKET_TIMEOUT_S,
            socket_keepalive=True,
            health_check_interval=10,
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError as error:
        raise ConfigurationError(f"REDIS_URL is not a Redis URL ({error}): set it like redis://host:6379/0.") from error
    end = time.monotonic() + timeout_s
    while True:
        try:
            client.ping()
            return client
        except redis.AuthenticationError as error:
            raise ConfigurationError("Redis refuses the password: correct it in REDIS_URL.") from error
        except redis.RedisError as error:
            if time.monotonic() >= end:
                where = _address(client)
                raise ConfigurationError(
                    f"Redis at {where} does not answer ({type(error).__name__}): start it, or set REDIS_URL."
                ) from error
        time.sleep(_PAUSE_S)


def _address(client: redis.Redis) -> str:
    """Host and port, never the password."""
    given = client.connection_pool.connection_kwargs
    return f"{given.get('host', given.get('path', 'localhost'))}:{given.get('port', '')}".rstrip(":")
