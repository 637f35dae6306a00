"""What the broker keeps of hints that a worker took: kombu's `unacked` keys on Redis."""

from tests.integration.worker_jobs.conftest import StartWorker
from tests.integration.worker_jobs.workers import Jobs, eventually, expected_tokens


async def unacked(jobs: Jobs) -> list[bytes]:
    return [key async for key in jobs.client.scan_iter("q:unacked*")]


async def time_out(jobs: Jobs) -> None:
    """As if the hints in hand had been taken 20 s ago."""
    for tag in await jobs.client.zrange("q:unacked_index", 0, -1):
        await jobs.client.zadd("q:unacked_index", {tag: 1})


async def test_the_hints_of_a_killed_worker_are_cleared_away(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker().wait_ready()
    sent = [await jobs.send(f"Question number {number}", max_tokens=100) for number in range(12)]
    for job in sent:
        await jobs.wait_for_tokens(job, 1)
    worker.kill()
    await time_out(jobs)

    start_worker().wait_ready()
    results = [await jobs.result(job) for job in sent]

    async def are_gone() -> bool:
        left = [key async for key in jobs.client.scan_iter("jobs:*")] + await unacked(jobs)
        return left == []

    await eventually(are_gone)
    assert [ids for ids, _ in results] == [expected_tokens(job) for job in sent]


async def test_a_healthy_job_whose_hint_comes_again_runs_on(start_worker: StartWorker, jobs: Jobs) -> None:
    start_worker().wait_ready()
    job = await jobs.send(max_tokens=800)
    await jobs.wait_for_tokens(job, 1)
    await time_out(jobs)

    async def is_acknowledged() -> bool:
        return await unacked(jobs) == []

    await eventually(is_acknowledged)
    ids, final = await jobs.result(job)

    assert ids == expected_tokens(job)
    assert final.epoch == 1
