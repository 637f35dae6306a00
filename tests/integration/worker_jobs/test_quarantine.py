"""A suspicious job runs alone: the worker empties itself for it, and fills up again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from shared.job import GenerateJob
from shared.ledger import Claimed, Ledger
from tests.integration.worker_jobs.conftest import StartWorker
from tests.integration.worker_jobs.job_side import JobSide
from tests.integration.worker_jobs.workers import Jobs, WorkerProcess, eventually, expected_tokens


@pytest.fixture
def side(ledger: Ledger, jobs: Jobs, models_dir: Path) -> Iterator[JobSide]:
    side = JobSide(ledger, jobs.app, models_dir).start()
    yield side
    side.stop()


async def suspect(jobs: Jobs, ledger: Ledger, **fields: object) -> GenerateJob:
    """A queued job that has lost two workers."""
    job = await jobs.accept(**fields)  # type: ignore[arg-type]
    for number in range(2):
        claimed = ledger.claim(job.id, worker_id="dead", claim_id=f"c{number}", lease_ms=60_000)
        assert isinstance(claimed, Claimed)
        await jobs.client.zadd("jobs:leases", {job.id: 1})
        ledger.reap(worker_id="reaper", lock_ms=60_000)
    assert ledger.next_quarantined("sim")
    return job


def hints_go_on(side: JobSide) -> bool:
    return side.doors != [] and side.doors[-1] == "resume"


async def test_a_suspect_runs_alone_and_the_worker_takes_hints_again(
    jobs: Jobs, ledger: Ledger, side: JobSide, client: redis.Redis
) -> None:
    job = await suspect(jobs, ledger, max_tokens=30)

    side.take_hint(job.id)
    ids, _ = await jobs.result(job)

    async def is_over() -> bool:
        return hints_go_on(side) and not side.quarantine.is_on and not client.exists("quarantine")

    await eventually(is_over)
    assert ids == expected_tokens(job)
    assert side.doors == ["pause", "resume"]


async def test_jobs_in_hand_go_to_other_workers_when_they_do_not_end_soon(
    jobs: Jobs, ledger: Ledger, side: JobSide
) -> None:
    long, short = await jobs.accept(max_tokens=4000), await jobs.accept(max_tokens=20)
    for other in (long, short):
        side.take_hint(other.id)
        await jobs.wait_for_tokens(other, 1)
    job = await suspect(jobs, ledger, max_tokens=30)

    side.take_hint(job.id)
    ids, _ = await jobs.result(job)

    assert ids == expected_tokens(job)
    assert (await jobs.result(short))[0] == expected_tokens(short)
    status = await jobs.ledger.status(long.id, "tenant")
    assert (status.state, status.seq > 0) == ("queued", True)


async def test_what_is_claimed_meanwhile_goes_back(
    jobs: Jobs, ledger: Ledger, side: JobSide, client: redis.Redis
) -> None:
    running = await jobs.accept(max_tokens=4000)
    side.take_hint(running.id)
    await jobs.wait_for_tokens(running, 1)
    side.take_hint((await suspect(jobs, ledger, max_tokens=30)).id)

    async def is_on() -> bool:
        return side.quarantine.is_on

    await eventually(is_on)
    late = await jobs.accept()
    await asyncio.to_thread(side.take_hint(late.id).join, 10)

    assert (await jobs.ledger.status(late.id, "tenant")).state == "queued"
    assert client.hget(f"job:{late.id}", "deliveries") == b"0"


async def test_a_cleared_suspect_has_company_again(jobs: Jobs, ledger: Ledger, side: JobSide) -> None:
    job = await suspect(jobs, ledger, max_tokens=4000)

    side.take_hint(job.id)
    await jobs.wait_for_tokens(job, 1)

    async def is_over() -> bool:
        return hints_go_on(side) and not side.quarantine.is_on

    await eventually(is_over)
    assert (await jobs.ledger.status(job.id, "tenant")).state == "running"
    neighbour = await jobs.accept(max_tokens=10)
    side.take_hint(neighbour.id)
    assert (await jobs.result(neighbour))[0] == expected_tokens(neighbour)


async def test_several_suspects_run_one_after_the_other(jobs: Jobs, ledger: Ledger, side: JobSide) -> None:
    suspects = [await suspect(jobs, ledger, max_tokens=30) for _ in range(3)]

    for job in suspects:
        side.take_hint(job.id)
    results = [await jobs.result(job) for job in suspects]

    assert [ids for ids, _ in results] == [expected_tokens(job) for job in suspects]


async def test_a_suspect_that_is_cancelled_holds_up_nobody(jobs: Jobs, ledger: Ledger, side: JobSide) -> None:
    job = await suspect(jobs, ledger)
    hint = side.take_hint(job.id)
    await jobs.ledger.cancel(job.id, "tenant")
    await asyncio.to_thread(hint.join, 10)
    after = await jobs.accept(max_tokens=10)

    async def is_off() -> bool:
        return not side.quarantine.is_on

    await eventually(is_off)
    side.take_hint(after.id)

    assert (await jobs.result(after))[0] == expected_tokens(after)


async def test_while_another_worker_holds_the_quarantine_a_suspect_waits(
    jobs: Jobs, ledger: Ledger, side: JobSide
) -> None:
    job = await suspect(jobs, ledger)
    ledger.hold_quarantine("another", 60_000)

    await asyncio.to_thread(side.take_hint(job.id).join, 10)
    await asyncio.sleep(0.1)

    assert side.doors == []
    assert ledger.next_quarantined("sim") == job.id


async def test_a_worker_that_drains_begins_with_no_suspect(jobs: Jobs, ledger: Ledger, side: JobSide) -> None:
    job = await suspect(jobs, ledger)
    side.quarantine.stop()

    await asyncio.to_thread(side.take_hint(job.id).join, 10)

    assert side.doors == []
    assert (await jobs.ledger.status(job.id, "tenant")).state == "queued"


async def keep_alive(workers: list[WorkerProcess], start_worker: StartWorker) -> None:
    """What a supervisor does."""
    while True:
        for place, worker in enumerate(workers):
            if not worker.is_running:
                workers[place] = start_worker(module="tests.integration.worker_jobs.poisonable_worker")
        await asyncio.sleep(0.1)


async def test_jobs_that_kill_their_workers_die_alone(
    start_worker: StartWorker, jobs: Jobs, client: redis.Redis
) -> None:
    module = "tests.integration.worker_jobs.poisonable_worker"
    workers = [start_worker(module=module).wait_ready() for _ in range(2)]
    supervisor = asyncio.create_task(keep_alive(workers, start_worker))

    texts = [f"Innocent number {number}" for number in range(50)]
    innocent = [await jobs.send(text, max_tokens=60) for text in texts[:25]]
    poison = [await jobs.send("This is the POISON.", max_tokens=60) for _ in range(2)]
    innocent += [await jobs.send(text, max_tokens=60) for text in texts[25:]]
    errors = [(await jobs.result(job, timeout_s=90))[1].error for job in poison]
    results = [await jobs.result(job, timeout_s=90) for job in innocent]
    supervisor.cancel()

    assert [error and error["code"] for error in errors] == ["worker_lost"] * 2
    assert [ids for ids, _ in results] == [expected_tokens(job) for job in innocent]
    assert client.xlen("jobs:dead") == 2
    assert [client.hget(f"job:{job.id}", "claims") for job in poison] == [b"3"] * 2
