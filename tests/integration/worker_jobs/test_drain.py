"""What a worker does with its jobs when it is told to end."""

import time

from tests.integration.worker_jobs.conftest import StartWorker
from tests.integration.worker_jobs.workers import Jobs, eventually, expected_tokens


async def test_a_job_that_outlives_the_grace_goes_on_in_another_worker(start_worker: StartWorker, jobs: Jobs) -> None:
    workers = [start_worker(lease_s=20), start_worker(lease_s=20)]
    for worker in workers:
        worker.wait_ready()
    job = await jobs.send(max_tokens=250)
    await jobs.wait_for_tokens(job, 20)

    told = await jobs.holder(job, workers)
    told.terminate()
    status = told.wait()
    ids, final = await jobs.result(job)

    assert status == 0
    assert ids == expected_tokens(job)
    assert final.epoch > 1  # by release: a lease of 20 s has not run out


async def test_a_job_that_ends_within_the_grace_ends_where_it_runs(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker(drain_grace_s=20).wait_ready()
    job = await jobs.send(max_tokens=100)
    await jobs.wait_for_tokens(job, 5)

    began = time.monotonic()
    worker.terminate()
    status = worker.wait(25)
    ids, final = await jobs.result(job)

    assert status == 0
    assert time.monotonic() - began < 20
    assert ids == expected_tokens(job)
    assert final.epoch == 1


async def test_a_draining_worker_takes_no_more_jobs_and_says_so(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker(drain_grace_s=20).wait_ready()
    running = await jobs.send(max_tokens=4000)
    await jobs.wait_for_tokens(running, 5)
    worker.terminate()

    async def is_said() -> bool:
        return all(body.is_draining for body in await jobs.ledger.workers())

    await eventually(is_said)
    late = await jobs.send(max_tokens=5)
    await jobs.ledger.cancel(running.id, running.tenant_id)

    assert worker.wait() == 0
    assert (await jobs.ledger.status(late.id, late.tenant_id)).state == "queued"
    assert await jobs.ledger.workers() == []


async def test_a_second_signal_ends_the_worker_at_once(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker(drain_grace_s=60).wait_ready()
    job = await jobs.send(max_tokens=4000)
    await jobs.wait_for_tokens(job, 5)

    worker.terminate()

    async def is_draining() -> bool:
        return all(body.is_draining for body in await jobs.ledger.workers())

    await eventually(is_draining)
    worker.terminate()

    assert worker.wait(10) == 128 + 15
