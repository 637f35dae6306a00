"""A real Redis and the two ledgers on it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import redis
import redis.asyncio

from shared.ledger import AsyncLedger, Ledger
from tests.integration.ledger.bench import Bench


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
def ledger(client: redis.Redis) -> Ledger:
    return Ledger(client)


@pytest.fixture
async def async_client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def gate(async_client: redis.asyncio.Redis) -> AsyncLedger:
    return AsyncLedger(async_client)


@pytest.fixture
def bench(client: redis.Redis, ledger: Ledger, gate: AsyncLedger) -> Bench:
    return Bench(client, ledger, gate)
