"""RabbitMQ carries the hints; the ledger stays in Redis, and so does the truth."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from shared.ledger import Hint
from tests.integration.worker_jobs.conftest import StartWorker
from tests.integration.worker_jobs.workers import Jobs, WorkerProcess, eventually, expected_tokens
from tests.rabbitmq import RabbitMQ, rabbitmq
from worker.broker import Broker


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitMQ]:
    with rabbitmq() as server:
        yield server


@pytest.fixture
async def jobs(redis_url: str, server: RabbitMQ) -> AsyncIterator[Jobs]:
    client = Jobs(redis_url, server.url)
    yield client
    await client.close()


@pytest.fixture
def worker(start_worker: StartWorker, server: RabbitMQ) -> WorkerProcess:
    return start_worker(broker_url=server.url).wait_ready()


async def test_jobs_run(worker: WorkerProcess, jobs: Jobs) -> None:
    sent = [await jobs.send(f"Question number {number}", max_tokens=20) for number in range(40)]
    results = await asyncio.gather(*(jobs.result(job) for job in sent))

    assert [ids for ids, _ in results] == [expected_tokens(job) for job in sent]
    assert all(final.epoch == 1 for _, final in results)


async def test_a_batch_job_runs_though_there_are_no_priorities(worker: WorkerProcess, jobs: Jobs) -> None:
    job = await jobs.send(max_tokens=5, priority="batch")

    assert (await jobs.result(job))[0] == expected_tokens(job)


async def test_a_queue_shows_its_hints_to_the_reaper(jobs: Jobs) -> None:
    broker = Broker(jobs.app)

    assert broker.is_empty("of nobody")
    assert broker.send(Hint("job", "of nobody", "interactive"))

    async def is_seen() -> bool:
        return not broker.is_empty("of nobody")

    await eventually(is_seen)
    broker.close()


async def test_a_killed_worker_hands_its_jobs_to_the_next(
    start_worker: StartWorker, worker: WorkerProcess, jobs: Jobs, server: RabbitMQ
) -> None:
    sent = [await jobs.send(f"Question number {number}", max_tokens=100) for number in range(4)]
    for job in sent:
        await jobs.wait_for_tokens(job, 10)

    worker.kill()
    start_worker(broker_url=server.url).wait_ready()
    results = await asyncio.gather(*(jobs.result(job) for job in sent))

    assert [ids for ids, _ in results] == [expected_tokens(job) for job in sent]
    assert all(final.epoch > 1 for _, final in results)


async def test_a_killed_broker_ends_neither_the_worker_nor_its_jobs(
    worker: WorkerProcess, jobs: Jobs, server: RabbitMQ
) -> None:
    running = await jobs.send(max_tokens=1000)
    await jobs.wait_for_tokens(running, 10)

    server.kill()
    unhinted = await jobs.accept(max_tokens=20)
    await asyncio.to_thread(server.start)
    late = await jobs.send("Afterwards", max_tokens=20)

    for job in (running, unhinted, late):
        ids, final = await jobs.result(job, timeout_s=60)
        assert ids == expected_tokens(job)
        assert final.epoch == 1
    assert worker.is_running


async def test_a_worker_that_drains_gives_its_jobs_back(
    start_worker: StartWorker, worker: WorkerProcess, jobs: Jobs, server: RabbitMQ
) -> None:
    job = await jobs.send(max_tokens=300)
    await jobs.wait_for_tokens(job, 10)
    start_worker(broker_url=server.url, preload="sim", lease_s=20).wait_ready()

    worker.terminate()
    status = worker.wait()
    ids, _ = await jobs.result(job)

    assert status == 0
    assert ids == expected_tokens(job)
