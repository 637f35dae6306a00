import pytest
import redis

from shared.errors import JobExpiredError, JobNotFoundError
from shared.events import StoredEvent
from shared.ledger import AsyncLedger, Idempotency, Ledger, channel_of
from tests.integration.ledger.bench import UNLIMITED, Bench, final, make_job


async def test_a_stored_job_says_so_and_its_log_goes_soon(bench: Bench, gate: AsyncLedger, client: redis.Redis) -> None:
    job = await bench.finished()
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(channel_of(job.id))
    pubsub.get_message(timeout=1)

    await gate.settle(job.id)

    message = pubsub.get_message(timeout=1)
    pubsub.close()
    assert message is not None
    assert message["data"] == StoredEvent(job.id).encode()
    assert (await gate.status(job.id, "tenant-a")).is_stored
    assert 110_000 < client.pttl(f"tok:{job.id}") <= 120_000  # type: ignore[operator]
    assert 120_000 < client.pttl(f"job:{job.id}") <= 720_000  # type: ignore[operator]


async def test_settling_again_does_not_keep_the_log_longer(
    bench: Bench, gate: AsyncLedger, client: redis.Redis
) -> None:
    job = await bench.finished()
    await gate.settle(job.id)
    client.pexpire(f"tok:{job.id}", 50_000)

    await gate.settle(job.id)

    assert client.pttl(f"tok:{job.id}") <= 50_000  # type: ignore[operator]


async def test_an_open_or_unknown_job_is_not_settled(bench: Bench, gate: AsyncLedger, client: redis.Redis) -> None:
    job, _ = await bench.run()

    await gate.settle(job.id)
    await gate.settle("nobody")

    assert not (await gate.status(job.id, "tenant-a")).is_stored
    assert client.pttl(f"job:{job.id}") == -1
    assert client.exists("job:nobody", "tok:nobody") == 0


async def test_a_job_whose_log_is_gone_is_expired_for_its_tenant_only(
    bench: Bench, gate: AsyncLedger, client: redis.Redis
) -> None:
    job = await bench.finished()
    client.delete(f"tok:{job.id}")

    with pytest.raises(JobExpiredError):
        await gate.status(job.id, "tenant-a")
    with pytest.raises(JobNotFoundError):
        await gate.status(job.id, "tenant-b")


async def test_a_job_with_an_idempotency_key_is_remembered_as_long_as_the_key(
    bench: Bench, gate: AsyncLedger, ledger: Ledger, client: redis.Redis
) -> None:
    job = make_job()
    await gate.accept(job, UNLIMITED, max_queued_jobs=9, idempotency=Idempotency("k", "h"))
    ledger.finish(final(job.id, 0, bench.claim(job.id).epoch))

    await gate.settle(job.id)

    assert client.pttl(f"job:{job.id}") >= client.pttl("idem:tenant-a:k")  # type: ignore[operator]
    assert client.pttl(f"tok:{job.id}") <= 120_000  # type: ignore[operator]
