import redis

from shared.ledger import AsyncLedger, Ledger
from tests.integration.ledger.bench import Bench, final, redis_seconds


def abandoned(ledger: Ledger) -> list[str]:
    return ledger.reap(worker_id="reaper-1", lock_ms=60_000).abandoned


def seconds_left(client: redis.Redis, job_id: str) -> float:
    score = client.zscore("jobs:attended", job_id)
    assert isinstance(score, float)
    return round(score / 1000 - redis_seconds(client))


async def test_a_queued_job_that_nobody_attends_to_is_cancelled(
    bench: Bench, ledger: Ledger, gate: AsyncLedger
) -> None:
    job = await bench.accept()
    bench.end_grace(job.id)

    assert abandoned(ledger) == [job.id]
    assert (await gate.status(job.id, "tenant-a")).state == "cancelled"
    assert bench.indexes(job.id) == set()
    assert abandoned(ledger) == []


async def test_a_running_job_that_nobody_attends_to_is_left_to_its_worker_to_end(
    bench: Bench, ledger: Ledger, gate: AsyncLedger
) -> None:
    job, epoch = await bench.run()
    bench.end_grace(job.id)

    assert abandoned(ledger) == [job.id]
    status = await gate.status(job.id, "tenant-a")
    assert (status.state, status.cancel) == ("running", True)
    assert abandoned(ledger) == []
    assert ledger.finish(final(job.id, 0, epoch, finish_reason="cancelled")) == "ok"


async def test_attention_gives_each_job_its_own_grace_again(
    bench: Bench, gate: AsyncLedger, client: redis.Redis
) -> None:
    patient, hasty = await bench.accept(resume_grace_s=60.0), await bench.accept(resume_grace_s=0.0)
    for job in (patient, hasty):
        bench.end_grace(job.id)

    await gate.attend([patient.id, "nobody", hasty.id])

    assert seconds_left(client, patient.id) == 60
    assert seconds_left(client, hasty.id) == 5  # a gateway attends every 2 s


async def test_the_grace_begins_when_the_job_is_accepted(bench: Bench, client: redis.Redis) -> None:
    job = await bench.accept(resume_grace_s=20.0)

    assert seconds_left(client, job.id) == 20


async def test_a_job_without_a_grace_is_never_abandoned(bench: Bench, gate: AsyncLedger, client: redis.Redis) -> None:
    job = await bench.accept(resume_grace_s=None)

    await gate.attend([job.id])

    assert client.exists("jobs:attended") == 0
    assert (await gate.status(job.id, "tenant-a")).resume_grace_s is None


async def test_a_final_or_cancelled_job_needs_no_attention(
    bench: Bench, gate: AsyncLedger, client: redis.Redis
) -> None:
    done, (cancelled, _) = await bench.finished(), await bench.run()
    await gate.cancel(cancelled.id, "tenant-a")

    await gate.attend([done.id, cancelled.id])

    assert client.exists("jobs:attended") == 0


async def test_more_jobs_than_one_run_takes_are_all_attended_to(
    bench: Bench, gate: AsyncLedger, client: redis.Redis
) -> None:
    job = await bench.accept()
    bench.end_grace(job.id)

    await gate.attend([f"nobody-{number}" for number in range(501)] + [job.id])

    assert seconds_left(client, job.id) == 30


async def test_after_a_gap_in_the_rounds_gateways_get_time_to_attend(
    bench: Bench, ledger: Ledger, client: redis.Redis
) -> None:
    job = await bench.accept()
    ledger.reap(worker_id="reaper-1", lock_ms=60_000)
    client.hincrby("reaper:run", "last_ms", -3000)
    bench.end_grace(job.id)

    at_once = ledger.reap(worker_id="reaper-1", lock_ms=60_000, lease_ms=1).abandoned
    client.hincrby("reaper:run", "after_ms", -6000)

    assert at_once == []
    assert abandoned(ledger) == [job.id]
