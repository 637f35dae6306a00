"""In which order a worker takes hints from Redis."""

import asyncio

from shared.hints import send_hint
from tests.integration.worker_jobs.conftest import StartWorker
from tests.integration.worker_jobs.workers import Jobs


async def test_jobs_that_have_begun_go_first_and_batch_jobs_last(start_worker: StartWorker, jobs: Jobs) -> None:
    start_worker(slots=1, preload="sim").wait_ready()
    running = await jobs.send(max_tokens=4000)
    await jobs.wait_for_tokens(running, 1)

    batch = await jobs.send("Later", max_tokens=3, priority="batch")
    interactive = [await jobs.send(f"Number {number}", max_tokens=3) for number in range(3)]
    begun = await jobs.accept("Before", max_tokens=3)
    await asyncio.to_thread(send_hint, jobs.app, begun.id, "sim", is_begun=True)
    await jobs.ledger.cancel(running.id, "tenant")
    order = [begun, *interactive, batch]
    for job in order:
        await jobs.result(job)

    finished = [(await jobs.ledger.status(job.id, "tenant")).finished_ms or 0 for job in order]
    assert finished == sorted(finished)
