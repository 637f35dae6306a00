"""Faults of the broker end neither the worker's process nor its work."""

import asyncio

from tests.integration.worker_jobs.conftest import StartWorker
from tests.integration.worker_jobs.workers import Jobs, eventually, expected_tokens


async def test_dropped_connections_start_nothing_twice(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker().wait_ready()
    job = await jobs.send(max_tokens=150)
    await jobs.wait_for_tokens(job, 10)

    for _ in range(3):
        await jobs.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await asyncio.sleep(0.3)
    ids, final = await jobs.result(job)
    late = await jobs.send("Afterwards", max_tokens=5)

    assert ids == expected_tokens(job)
    assert final.epoch == 1
    assert (await jobs.result(late))[0] == expected_tokens(late)
    assert worker.is_running


async def test_an_end_of_celerys_worker_is_not_the_end_of_ours(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker().wait_ready()
    job = await jobs.send(max_tokens=300)
    await jobs.wait_for_tokens(job, 10)

    await jobs.client.set("q:model.sim", "not a list")

    async def has_restarted() -> bool:
        return "consumer_restarts" in worker.log.read_text()

    await eventually(has_restarted)
    await jobs.client.delete("q:model.sim")
    late = await jobs.send("Afterwards", max_tokens=5)

    assert (await jobs.result(late))[0] == expected_tokens(late)
    ids, final = await jobs.result(job)
    assert ids == expected_tokens(job)
    assert final.epoch == 1
    assert worker.is_running
