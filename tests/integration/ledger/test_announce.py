from asyncio import sleep

import redis

from shared.bodies.workers import WorkerBody
from shared.ledger import AsyncLedger, Ledger
from tests.integration.ledger.bench import Bench


def worker(name: str, **fields: object) -> WorkerBody:
    defaults = {"engine": "simulated", "held_models": ["tiny"], "slots": 4, "busy_slots": 1, "free_bytes": 10}
    return WorkerBody.model_validate({"id": name} | defaults | fields)


async def test_workers_are_listed_while_they_say_that_they_live(
    ledger: Ledger, gate: AsyncLedger, client: redis.Redis
) -> None:
    ledger.publish_worker(worker("b"), 60_000)
    ledger.publish_worker(worker("gone"), 5)
    ledger.publish_worker(worker("a"), 60_000)
    ledger.publish_worker(worker("a", busy_slots=2), 60_000)
    await sleep(0.02)

    workers = await gate.workers()

    assert workers == [worker("a", busy_slots=2), worker("b")]
    ledger.publish_worker(worker("b"), 60_000)
    assert client.zrange("workers", 0, -1) == [b"a", b"b"]


async def test_without_workers_the_list_is_empty(gate: AsyncLedger) -> None:
    assert await gate.workers() == []


async def test_the_oldest_waiting_job_has_an_age(bench: Bench, gate: AsyncLedger) -> None:
    assert await gate.oldest_age_s("tiny") == 0.0
    await bench.accept()
    await sleep(0.01)

    assert 0.005 < await gate.oldest_age_s("tiny") < 5
