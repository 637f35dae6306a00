import pytest
import redis

from shared.bodies.keys import Limits
from shared.errors import JobNotFoundError
from shared.events import FinalEvent, Usage
from shared.ledger import AsyncLedger, ClaimRefused, Ledger, channel_of
from tests.integration.ledger.bench import Bench, final, tokens


async def test_a_queued_job_is_cancelled_at_once(
    bench: Bench, gate: AsyncLedger, ledger: Ledger, client: redis.Redis
) -> None:
    limits = Limits(tokens_per_minute=1000, concurrent_jobs=1)
    job = await bench.accept(limits)

    status = await gate.cancel(job.id, "tenant-a")

    assert (status.state, status.finish_reason, status.usage) == ("cancelled", "cancelled", Usage())
    assert ledger.read_log(job.id) == [FinalEvent(job.id, 0, 1, "cancelled")]
    assert bench.indexes(job.id) == set()
    assert client.keys("rl:*") == []
    assert ledger.claim(job.id, worker_id="w", claim_id="c", lease_ms=1000) == ClaimRefused("final")


async def test_the_final_event_of_a_cancelled_queued_job_is_heard(
    bench: Bench, gate: AsyncLedger, client: redis.Redis
) -> None:
    job = await bench.accept()
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(channel_of(job.id))
    pubsub.get_message(timeout=1)

    await gate.cancel(job.id, "tenant-a")

    message = pubsub.get_message(timeout=1)
    pubsub.close()
    assert message is not None
    assert message["data"] == FinalEvent(job.id, 0, 1, "cancelled").encode()


async def test_a_running_job_is_marked_and_its_worker_ends_it(bench: Bench, gate: AsyncLedger, ledger: Ledger) -> None:
    job, epoch = await bench.run()

    status = await gate.cancel(job.id, "tenant-a")

    assert (status.state, status.cancel) == ("running", True)
    assert ledger.finish(final(job.id, 0, epoch, finish_reason="cancelled")) == "ok"
    assert (await gate.status(job.id, "tenant-a")).state == "cancelled"


async def test_a_cancel_sent_again_or_too_late_changes_nothing(bench: Bench, gate: AsyncLedger) -> None:
    queued, done = await bench.accept(), await bench.finished()

    first, second = await gate.cancel(queued.id, "tenant-a"), await gate.cancel(queued.id, "tenant-a")
    late = await gate.cancel(done.id, "tenant-a")

    assert first == second
    assert (late.state, late.cancel) == ("done", False)
    assert len(bench.outbox()) == 2


async def test_tokens_of_an_earlier_worker_are_paid_when_the_job_is_cancelled_in_the_queue(
    bench: Bench, gate: AsyncLedger, ledger: Ledger
) -> None:
    job, epoch = await bench.run()
    ledger.append([tokens(job.id, 1, epoch, 3)])
    ledger.release(job.id, epoch)

    status = await gate.cancel(job.id, "tenant-a")

    assert status.usage == Usage(prompt_tokens=10, completion_tokens=3)
    assert ledger.read_log(job.id, 3) == [FinalEvent(job.id, 3, 3, "cancelled", usage=Usage(10, 3))]


async def test_another_tenants_job_is_as_good_as_missing(bench: Bench, gate: AsyncLedger) -> None:
    job = await bench.accept()

    for job_id, tenant_id in ((job.id, "tenant-b"), ("nobody", "tenant-a")):
        with pytest.raises(JobNotFoundError) as cancelled:
            await gate.cancel(job_id, tenant_id)
        with pytest.raises(JobNotFoundError) as asked:
            await gate.status(job_id, tenant_id)
        assert cancelled.value.body() == asked.value.body() == JobNotFoundError().body()

    assert (await gate.status(job.id, "tenant-a")).state == "queued"
