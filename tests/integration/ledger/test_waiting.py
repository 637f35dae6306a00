import pytest

from shared.bodies.workers import WorkerBody
from shared.errors import JobNotFoundError
from shared.ledger import AsyncLedger, Ledger, Waiting
from tests.integration.ledger.bench import Bench


async def positions(gate: AsyncLedger, *job_ids: str) -> list[int | None]:
    return [(await gate.waiting(job_id, "tenant-a")).position for job_id in job_ids]


async def test_queued_jobs_wait_in_the_order_of_their_coming(bench: Bench, gate: AsyncLedger) -> None:
    first, second, third = [await bench.accept() for _ in range(3)]
    for number, job in enumerate((first, second, third)):
        bench.set_accepted(job, number)

    assert await positions(gate, first.id, second.id, third.id) == [0, 1, 2]
    bench.claim(first.id)
    assert await positions(gate, first.id, second.id, third.id) == [None, 0, 1]


async def test_batch_jobs_wait_behind_all_interactive_ones(bench: Bench, gate: AsyncLedger) -> None:
    priorities = ("batch", "interactive", "batch", "interactive")
    jobs = [await bench.accept(priority=priority) for priority in priorities]
    for number, job in enumerate(jobs):
        bench.set_accepted(job, number)

    assert await positions(gate, *(job.id for job in jobs)) == [2, 0, 3, 1]


async def test_the_load_that_is_furthest_is_told_to_queued_and_claimed_jobs(
    bench: Bench, gate: AsyncLedger, ledger: Ledger
) -> None:
    queued, (claimed, _), done = await bench.accept(), await bench.run(), await bench.finished()
    for worker_id, loading in (("w1", {"tiny": 0.25}), ("w2", {"tiny": 0.5, "large": 0.9}), ("w3", {})):
        body = WorkerBody(
            id=worker_id, engine="llama", held_models=[], loading=loading, slots=1, busy_slots=0, free_bytes=0
        )
        ledger.publish_worker(body, 5000)

    assert await gate.waiting(queued.id, "tenant-a") == Waiting("queued", 0, 0.5)
    assert await gate.waiting(claimed.id, "tenant-a") == Waiting("running", None, 0.5)
    assert await gate.waiting(done.id, "tenant-a") == Waiting("done", None, None)


async def test_a_model_that_nobody_loads_has_no_progress(bench: Bench, gate: AsyncLedger) -> None:
    job = await bench.accept()

    assert (await gate.waiting(job.id, "tenant-a")).load_progress is None


async def test_a_strangers_job_is_not_found(bench: Bench, gate: AsyncLedger) -> None:
    job = await bench.accept()

    for job_id, tenant_id in ((job.id, "tenant-b"), ("nobody", "tenant-a")):
        with pytest.raises(JobNotFoundError):
            await gate.waiting(job_id, tenant_id)
