import redis

from shared.ledger import AsyncLedger, Lease, Ledger
from tests.integration.ledger.bench import Bench, final, tokens


async def test_a_released_job_is_back_at_its_old_place_with_its_tokens(
    bench: Bench, ledger: Ledger, client: redis.Redis
) -> None:
    job, epoch = await bench.run()
    await bench.accept()
    ledger.append([tokens(job.id, 1, epoch, 2)])

    answer = ledger.release(job.id, epoch)

    accepted_ms = client.hget(f"job:{job.id}", "accepted_ms")
    assert answer == "ok"
    assert client.zscore("jobs:queued:model.tiny", job.id) == float(accepted_ms or 0)  # type: ignore[arg-type]
    assert bench.indexes(job.id) == {"jobs:queued:model.tiny", "jobs:hints"}
    claimed = bench.claim(job.id)
    assert (claimed.seq, claimed.epoch) == (2, epoch + 2)


async def test_a_job_released_past_its_deadline_is_looked_at_at_once(bench: Bench, ledger: Ledger) -> None:
    job, epoch = await bench.run()
    bench.end_deadline(job.id)

    ledger.release(job.id, epoch)

    assert ledger.reap(worker_id="w2", lock_ms=1000).expired == [job.id]


async def test_a_re_sent_release_is_ok_even_when_another_worker_has_the_job(bench: Bench, ledger: Ledger) -> None:
    job, epoch = await bench.run()

    first = ledger.release(job.id, epoch)
    second = ledger.release(job.id, epoch)
    newer = bench.claim(job.id, "w2").epoch
    third = ledger.release(job.id, epoch)

    assert (first, second, third) == ("ok", "ok", "ok")
    assert ledger.renew("w2", [Lease(job.id, newer)], 1000) == ["ok"]


async def test_a_zombie_cannot_release(bench: Bench, ledger: Ledger) -> None:
    job, old = await bench.run()
    bench.end_lease(job.id)
    ledger.reap(worker_id="w2", lock_ms=1000)
    new = bench.claim(job.id, "w2").epoch

    assert ledger.release(job.id, old) == "fenced"
    ledger.finish(final(job.id, 0, new))
    assert ledger.release(job.id, new) == "fenced"
    assert ledger.release("nobody", 1) == "fenced"


async def test_a_release_is_not_counted_as_a_delivery(bench: Bench, ledger: Ledger, client: redis.Redis) -> None:
    job = await bench.accept()

    for _ in range(15):
        assert ledger.release(job.id, bench.claim(job.id).epoch) == "ok"

    assert client.hmget(f"job:{job.id}", ["deliveries", "claims"]) == [b"0", b"0"]


async def test_a_cancelled_job_ends_when_it_is_released(bench: Bench, ledger: Ledger, gate: AsyncLedger) -> None:
    job, epoch = await bench.run()
    await gate.cancel(job.id, "tenant-a")

    answers = [ledger.release(job.id, epoch), ledger.release(job.id, epoch)]

    assert answers == ["ok", "ok"]
    assert (await gate.status(job.id, "tenant-a")).state == "cancelled"
    assert len(bench.outbox()) == 1
