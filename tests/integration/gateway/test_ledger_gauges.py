"""What a gateway shows of the ledger, from a real Redis."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio

from gateway.jobs import Jobs
from gateway.ledger_gauges import LedgerGauges
from shared.bodies.workers import WorkerBody
from shared.catalogue import Catalogue
from shared.ledger import OUTBOX
from shared.ledger.keys import WORKERS, queued_key, worker_key
from shared.telemetry import configure_metrics, render_metrics
from tests.servers import free_port

QUEUE = 'queue="model.drover-tiny"'


@pytest.fixture
async def client(redis_server_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """A database of its own: the room's session service would empty the outbox."""
    client = redis.asyncio.Redis.from_url(database_seven(redis_server_url))
    await client.flushdb()
    yield client
    await client.flushdb()
    await client.aclose()


@asynccontextmanager
async def sampling(url: str, models_dir: Path) -> AsyncIterator[None]:
    configure_metrics("gateway")
    jobs = Jobs(url, timeout_s=0.7, max_queued_jobs=10)
    run = asyncio.create_task(LedgerGauges(jobs, Catalogue.load(models_dir)).run())
    yield
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await jobs.close()


async def shown(metric: str, label: str = "") -> float:
    """The metric's value, once there is one."""
    end = time.monotonic() + 10
    while not (found := re.search(rf"^{metric}(?:{{.*{label}.*}})? (\S+)$", _page(), re.MULTILINE)):
        assert time.monotonic() < end, metric
        await asyncio.sleep(0.01)
    return float(found[1])


def _page() -> str:
    return render_metrics()[0].decode()


def database_seven(redis_server_url: str) -> str:
    return redis_server_url.removesuffix("/0").rstrip("/") + "/7"


async def test_queues_and_the_outbox_are_shown_also_when_no_worker_lives(
    client: redis.asyncio.Redis, redis_server_url: str, models_dir: Path
) -> None:
    now_ms = round(time.time() * 1000)
    await client.zadd(queued_key("drover-tiny"), {"a": now_ms - 60_000, "b": now_ms})
    await client.xadd(OUTBOX, {"job_id": "a"}, id=f"{now_ms - 30_000}-0")

    async with sampling(database_seven(redis_server_url), models_dir):
        assert await shown("drover_redis_up") == 1
        assert await shown("drover_queue_depth", QUEUE) == 2
        assert 59 < await shown("drover_queue_oldest_age_seconds", QUEUE) < 120
        assert await shown("drover_outbox_depth") == 1
        assert 29 < await shown("drover_outbox_oldest_age_seconds") < 90
        assert await shown("drover_workers", 'state="ready"') == 0
        assert await shown("drover_workers", 'state="draining"') == 0


async def test_workers_that_drain_are_not_ready(
    client: redis.asyncio.Redis, redis_server_url: str, models_dir: Path
) -> None:
    for name, is_draining in (("a", False), ("b", False), ("c", True)):
        body = WorkerBody(
            id=name, engine="simulated", held_models=[], slots=1, busy_slots=0, free_bytes=0, is_draining=is_draining
        )
        await client.set(worker_key(name), body.model_dump_json())
        await client.zadd(WORKERS, {name: time.time() * 1000 + 60_000})

    async with sampling(database_seven(redis_server_url), models_dir):
        assert await shown("drover_workers", 'state="draining"') == 1
        assert await shown("drover_workers", 'state="ready"') == 2


@pytest.mark.parametrize("limit_bytes", [0, 64 * 2**20])
async def test_the_memory_is_a_part_of_the_limit_or_else_of_the_hosts(
    client: redis.asyncio.Redis, redis_server_url: str, models_dir: Path, limit_bytes: int
) -> None:
    total_bytes = limit_bytes or int((await client.info("memory"))["total_system_memory"])
    await client.config_set("maxmemory", limit_bytes)
    try:
        async with sampling(database_seven(redis_server_url), models_dir):
            used_bytes, ratio = await shown("drover_redis_memory_bytes"), await shown("drover_redis_memory_ratio")
    finally:
        await client.config_set("maxmemory", 0)

    assert used_bytes > 2**16
    assert ratio == pytest.approx(used_bytes / total_bytes)


async def test_without_redis_only_that_is_shown(models_dir: Path) -> None:
    async with sampling(f"redis://127.0.0.1:{free_port()}/0", models_dir):
        assert await shown("drover_redis_up") == 0
        assert not re.search(r"^drover_(queue|workers|outbox|redis_memory)\w*({.*})? ", _page(), re.MULTILINE)
