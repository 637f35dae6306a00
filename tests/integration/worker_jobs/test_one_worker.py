"""One worker does a job: from the hint to the final event, and in all that ends one before."""

import asyncio
import re

from tests.integration.worker_jobs.workers import Jobs, WorkerProcess, expected_tokens


async def test_a_job_ends_with_all_its_tokens_in_order_and_a_final_event(
    shared_worker: WorkerProcess, jobs: Jobs
) -> None:
    job = await jobs.send(max_tokens=40)
    ids, final = await jobs.result(job)

    assert ids == expected_tokens(job)
    assert final.finish_reason == "length"
    assert final.usage.completion_tokens == 40
    assert (await jobs.ledger.status(job.id, job.tenant_id)).state == "done"


async def test_more_jobs_than_slots_all_end(shared_worker: WorkerProcess, jobs: Jobs) -> None:
    sent = [await jobs.send(f"Question number {number}", max_tokens=20) for number in range(40)]
    results = await asyncio.gather(*(jobs.result(job) for job in sent))

    assert [ids for ids, _ in results] == [expected_tokens(job) for job in sent]


async def test_a_cancelled_job_stops(shared_worker: WorkerProcess, jobs: Jobs) -> None:
    job = await jobs.send(max_tokens=4000)
    await jobs.wait_for_tokens(job, 5)

    await jobs.ledger.cancel(job.id, job.tenant_id)
    ids, final = await jobs.result(job)

    assert final.finish_reason == "cancelled"
    assert len(ids) < 4000


async def test_a_job_past_its_deadline_ends_with_that_error(shared_worker: WorkerProcess, jobs: Jobs) -> None:
    job = await jobs.send(max_tokens=4000, timeout_s=0.5)
    _, final = await jobs.result(job)

    assert final.finish_reason == "error"
    assert final.error is not None
    assert final.error["code"] == "deadline_exceeded"
    assert (await jobs.ledger.status(job.id, job.tenant_id)).state == "expired"


async def test_a_lost_hint_is_repaired(shared_worker: WorkerProcess, jobs: Jobs) -> None:
    job = await jobs.accept(max_tokens=5)
    ids, _ = await jobs.result(job)

    assert ids == expected_tokens(job)
    assert re.search(r"^drover_hint_repaired_total [1-9]", shared_worker.get("/metrics")[1], re.MULTILINE)


async def test_an_unknown_model_in_a_job_is_one_explicit_error(shared_worker: WorkerProcess, jobs: Jobs) -> None:
    job = await jobs.accept(model="gone")
    await jobs.hint(job, queue_of_model="sim")
    _, final = await jobs.result(job)

    assert final.error is not None
    assert final.error["code"] == "model_not_found"


async def test_a_duplicated_hint_starts_the_job_once(shared_worker: WorkerProcess, jobs: Jobs) -> None:
    job = await jobs.send(max_tokens=60)
    for _ in range(4):
        await jobs.hint(job)
    ids, final = await jobs.result(job)

    assert ids == expected_tokens(job)
    assert final.epoch == 1
