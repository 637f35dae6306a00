import redis

from shared.ledger import AsyncLedger, Ledger
from tests.integration.ledger.bench import Bench, final


async def test_one_call_extends_all_leases_of_a_worker(bench: Bench, ledger: Ledger, client: redis.Redis) -> None:
    (one, one_epoch), (two, two_epoch) = await bench.run(), await bench.run()
    bench.end_lease(one.id)

    answers = ledger.renew("w1", [(one.id, one_epoch), (two.id, two_epoch)], 5000)

    assert answers == ["ok", "ok"]
    assert client.zrangebyscore("jobs:leases", "-inf", 1) == []
    assert ledger.reap(worker_id="w2", lock_ms=1000).requeued == []


async def test_a_lease_of_another_epoch_or_worker_is_lost(bench: Bench, ledger: Ledger) -> None:
    job, epoch = await bench.run()

    answers = ledger.renew("w1", [(job.id, epoch - 1), ("nobody", 1)], 5000)

    assert answers == ["lost", "lost"]
    assert ledger.renew("w2", [(job.id, epoch)], 5000) == ["lost"]


async def test_a_final_or_released_job_has_no_lease(bench: Bench, ledger: Ledger) -> None:
    (done, done_epoch), (released, released_epoch) = await bench.run(), await bench.run()
    ledger.finish(final(done.id, 0, done_epoch))
    ledger.release(released.id, released_epoch)

    answers = ledger.renew("w1", [(done.id, done_epoch), (released.id, released_epoch)], 5000)

    assert answers == ["lost", "lost"]
    assert bench.indexes(done.id) == set()


async def test_a_renewal_tells_of_a_cancel_and_of_the_deadline(
    bench: Bench, ledger: Ledger, gate: AsyncLedger, client: redis.Redis
) -> None:
    (cancelled, epoch_1), (late, epoch_2) = await bench.run(), await bench.run()
    await gate.cancel(cancelled.id, "tenant-a")
    bench.end_deadline(late.id)
    before = client.zscore("jobs:leases", late.id)

    answers = ledger.renew("w1", [(cancelled.id, epoch_1), (late.id, epoch_2)], 3_600_000)

    assert answers == ["cancelled", "expired"]
    assert client.zscore("jobs:leases", late.id) == before
