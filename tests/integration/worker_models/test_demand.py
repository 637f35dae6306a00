"""What placement reads from Redis, and the turn that one worker has at a time."""

from collections.abc import Iterator

import pytest
import redis

from shared.bodies.workers import WorkerBody
from shared.ledger import Ledger
from shared.ledger.demand import Demand
from tests.integration.worker_jobs.workers import Jobs


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
def demand(client: redis.Redis) -> Demand:
    return Demand(client)


def body(worker_id: str) -> WorkerBody:
    return WorkerBody(id=worker_id, engine="simulated", held_models=["m0"], slots=4, busy_slots=0, free_bytes=1)


def test_while_nothing_waits_nobody_is_looked_at(demand: Demand, client: redis.Redis) -> None:
    Ledger(client).publish_worker(body("w"), 5000)

    look = demand.look(["m0", "m1"])

    assert (look.waiting, look.workers) == ([], [])


async def test_what_waits_comes_with_its_age_and_the_living_workers(
    demand: Demand, client: redis.Redis, jobs: Jobs
) -> None:
    Ledger(client).publish_worker(body("w"), 5000)
    for _ in range(3):
        await jobs.accept(model="m1")

    look = demand.look(["m0", "m1"])

    [waiting] = look.waiting
    assert (waiting.model, waiting.depth, waiting.refused_by) == ("m1", 3, frozenset())
    assert 0 <= waiting.oldest_age_s < 60
    assert [worker.id for worker in look.workers] == ["w"]


async def test_a_refusal_is_seen_until_it_is_taken_back(demand: Demand, client: redis.Redis, jobs: Jobs) -> None:
    await jobs.accept(model="m0")

    demand.refuse("m0", "a", for_s=60)
    demand.refuse("m0", "b", for_s=60)
    demand.accept("m0", "b")

    [waiting] = demand.look(["m0"]).waiting
    assert waiting.refused_by == {"a"}
    assert 0 < client.pttl("place:refused:m0") <= 60_000


def test_a_turn_is_one_workers_at_a_time(demand: Demand) -> None:
    turn = demand.take_turn("m0", for_s=60)

    assert turn is not None
    assert demand.take_turn("m0", for_s=60) is None
    assert demand.take_turn("m1", for_s=60) is not None
    assert turn.renew()
    turn.end()
    turn.end()
    assert demand.take_turn("m0", for_s=60) is not None


def test_a_turn_that_ran_out_cannot_be_renewed(demand: Demand, client: redis.Redis) -> None:
    turn = demand.take_turn("m0", for_s=60)
    client.delete("place:m0")

    assert turn is not None
    assert not turn.renew()
