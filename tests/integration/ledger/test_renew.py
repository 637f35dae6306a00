import redis

from shared.events import FinalEvent, Usage
from shared.ledger import AsyncLedger, Lease, Ledger
from tests.integration.ledger.bench import Bench, final, tokens


async def test_one_call_extends_all_leases_of_a_worker(bench: Bench, ledger: Ledger, client: redis.Redis) -> None:
    (one, one_epoch), (two, two_epoch) = await bench.run(), await bench.run()
    bench.end_lease(one.id)

    answers = ledger.renew("w1", [Lease(one.id, one_epoch), Lease(two.id, two_epoch)], 5000)

    assert answers == ["ok", "ok"]
    assert client.zrangebyscore("jobs:leases", "-inf", 1) == []
    assert ledger.reap(worker_id="w2", lock_ms=1000).requeued == []


async def test_a_lease_of_another_epoch_or_worker_is_lost(bench: Bench, ledger: Ledger) -> None:
    job, epoch = await bench.run()

    answers = ledger.renew("w1", [Lease(job.id, epoch - 1), Lease("nobody", 1)], 5000)

    assert answers == ["lost", "lost"]
    assert ledger.renew("w2", [Lease(job.id, epoch)], 5000) == ["lost"]


async def test_a_final_or_released_job_has_no_lease(bench: Bench, ledger: Ledger) -> None:
    (done, done_epoch), (released, released_epoch) = await bench.run(), await bench.run()
    ledger.finish(final(done.id, 0, done_epoch))
    ledger.release(released.id, released_epoch)

    answers = ledger.renew("w1", [Lease(done.id, done_epoch), Lease(released.id, released_epoch)], 5000)

    assert answers == ["lost", "lost"]
    assert bench.indexes(done.id) == set()


async def test_a_renewal_tells_of_a_cancel_and_of_the_deadline(
    bench: Bench, ledger: Ledger, gate: AsyncLedger, client: redis.Redis
) -> None:
    (cancelled, epoch_1), (late, epoch_2) = await bench.run(), await bench.run()
    await gate.cancel(cancelled.id, "tenant-a")
    bench.end_deadline(late.id)
    before = client.zscore("jobs:leases", late.id)

    answers = ledger.renew("w1", [Lease(cancelled.id, epoch_1), Lease(late.id, epoch_2)], 3_600_000)

    assert answers == ["cancelled", "expired"]
    assert client.zscore("jobs:leases", late.id) == before


async def test_what_a_renewal_says_of_the_prompt_is_in_the_end_of_a_job_without_a_worker(
    bench: Bench, ledger: Ledger, gate: AsyncLedger
) -> None:
    job, epoch = await bench.run(prompt_tokens_bound=500)
    ledger.append([tokens(job.id, 1, epoch, 9)])
    ledger.renew("w1", [Lease(job.id, epoch, prompt_tokens=7)], 5000)
    ledger.renew("w1", [Lease(job.id, epoch, prompt_tokens=7, uncounted_tokens=7)], 5000)
    ledger.release(job.id, epoch)
    claimed = bench.claim(job.id, "w2")
    ledger.renew("w2", [Lease(job.id, claimed.epoch)], 5000)
    ledger.release(job.id, claimed.epoch)

    await gate.cancel(job.id, "tenant-a")

    assert (claimed.prompt_tokens, claimed.uncounted_tokens) == (7, 7)
    last = ledger.read_log(job.id)[-1]
    assert isinstance(last, FinalEvent)
    assert last.usage == Usage(prompt_tokens=7, completion_tokens=2)


async def test_without_a_renewal_the_bound_is_all_that_is_known_of_the_prompt(
    bench: Bench, ledger: Ledger, gate: AsyncLedger
) -> None:
    job, epoch = await bench.run(prompt_tokens_bound=500)
    ledger.append([tokens(job.id, 1, epoch, 9)])
    ledger.release(job.id, epoch)

    status = await gate.cancel(job.id, "tenant-a")

    assert status.usage == Usage(prompt_tokens=500, completion_tokens=9)
