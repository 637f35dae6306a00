"""Fixtures that several kinds of tests share: a real Redis and a real Postgres."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
import redis
from hypothesis import HealthCheck, settings

from tests.servers import postgres_server, redis_server

# How fast a busy machine makes inputs, and how many of them a test sets aside, says nothing about Drover.
settings.register_profile(
    "drover",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("drover")


@pytest.fixture(scope="session")
def redis_server_url() -> Iterator[str]:
    """A real Redis, one for the whole run."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
    else:
        with redis_server() as url:
            yield url


@pytest.fixture
def redis_url(redis_server_url: str) -> str:
    """A real Redis, emptied before the test."""
    client = redis.Redis.from_url(redis_server_url)
    client.flushall()
    client.close()
    return redis_server_url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real Postgres, one for the whole run."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
    else:
        with postgres_server() as url:
            yield url


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """A new, empty database for this test; dropped after it."""
    name = f"drover_test_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
