from asyncio import sleep

import redis

from shared.bodies.keys import Limits
from shared.events import FinalEvent
from shared.ledger import AsyncLedger, ClaimRefused, Ledger, Reaped
from tests.integration.ledger.bench import Bench, tokens


def reap(ledger: Ledger, worker_id: str = "reaper-1") -> Reaped:
    return ledger.reap(worker_id=worker_id, lock_ms=60_000)


async def test_a_job_whose_lease_ended_goes_back_to_its_queue(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()
    bench.claim(job.id, lease_ms=1)
    await sleep(0.01)

    reaped = reap(ledger)

    assert reaped.got_lock
    assert reaped.requeued == [(job.id, "tiny")]
    assert bench.indexes(job.id) == {"jobs:queued:model.tiny", "jobs:hints"}
    assert bench.claim(job.id, "w2").epoch == 3


async def test_a_held_lease_is_left_alone(bench: Bench, ledger: Ledger) -> None:
    job, _ = await bench.run()

    assert reap(ledger).requeued == []
    assert bench.indexes(job.id) == {"jobs:leases"}


async def test_one_worker_at_a_time_is_the_reaper(bench: Bench, ledger: Ledger) -> None:
    job, _ = await bench.run()
    first, again = reap(ledger, "reaper-1"), reap(ledger, "reaper-1")
    bench.end_lease(job.id)

    other = reap(ledger, "reaper-2")

    assert first.got_lock
    assert again.got_lock
    assert not other.got_lock
    assert other.requeued == []


async def test_another_worker_takes_over_when_the_lock_ends(ledger: Ledger) -> None:
    ledger.reap(worker_id="reaper-1", lock_ms=5)
    await sleep(0.02)

    assert reap(ledger, "reaper-2").got_lock


async def test_three_deliveries_without_progress_are_the_last(
    bench: Bench, ledger: Ledger, gate: AsyncLedger, client: redis.Redis
) -> None:
    job = await bench.accept(Limits(concurrent_jobs=1))
    for _ in range(2):
        bench.claim(job.id)
        bench.end_lease(job.id)
        assert reap(ledger).requeued == [(job.id, "tiny")]
    bench.claim(job.id)
    bench.end_lease(job.id)

    reaped = reap(ledger)

    assert (reaped.dead, reaped.requeued) == ([job.id], [])
    (last,) = ledger.read_log(job.id)
    assert isinstance(last, FinalEvent)
    assert last.error is not None
    assert last.error["code"] == "worker_lost"
    assert ledger.claim(job.id, worker_id="w", claim_id="c", lease_ms=1000) == ClaimRefused("dead")
    assert (await gate.status(job.id, "tenant-a")).state == "dead"
    ((_, dead),) = client.xrange("jobs:dead")  # type: ignore[misc]
    assert (dead[b"job_id"], dead[b"deliveries"], dead[b"worker"]) == (job.id.encode(), b"3", b"w1")
    assert bench.indexes(job.id) == set()


async def test_progress_clears_the_count_of_deliveries(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()
    bench.claim(job.id)
    bench.end_lease(job.id)
    reap(ledger)
    ledger.append([tokens(job.id, 1, bench.claim(job.id).epoch)])
    bench.end_lease(job.id)
    reap(ledger)

    rounds = []
    for _ in range(3):
        bench.claim(job.id)
        bench.end_lease(job.id)
        rounds.append(reap(ledger).dead)

    assert rounds == [[], [], [job.id]]


async def test_progress_clears_the_count_up_to_ten_claims(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()
    for seq in range(1, 10):
        ledger.append([tokens(job.id, seq, bench.claim(job.id).epoch)])
        bench.end_lease(job.id)
        assert reap(ledger).requeued == [(job.id, "tiny")]
    ledger.append([tokens(job.id, 10, bench.claim(job.id).epoch)])
    bench.end_lease(job.id)

    assert reap(ledger).dead == [job.id]
    assert len(ledger.read_log(job.id)) == 11


async def test_a_cancelled_job_whose_worker_died_ends_as_cancelled(
    bench: Bench, ledger: Ledger, gate: AsyncLedger
) -> None:
    job, _ = await bench.run()
    await gate.cancel(job.id, "tenant-a")
    bench.end_lease(job.id)

    reaped = reap(ledger)

    assert reaped.requeued == []
    assert (await gate.status(job.id, "tenant-a")).state == "cancelled"


async def test_jobs_past_their_deadline_expire_in_the_queue_and_after_a_lost_lease(
    bench: Bench, ledger: Ledger, gate: AsyncLedger
) -> None:
    queued, (running, _) = await bench.accept(timeout_s=0.001), await bench.run()
    bench.end_deadline(running.id)
    bench.end_lease(running.id)
    await sleep(0.01)

    reaped = reap(ledger)

    assert sorted(reaped.expired) == sorted([queued.id, running.id])
    assert (await gate.status(queued.id, "tenant-a")).state == "expired"
    assert len(bench.outbox()) == 2


async def test_a_running_job_past_its_deadline_is_left_to_its_worker(bench: Bench, ledger: Ledger) -> None:
    job, _ = await bench.run()
    bench.end_deadline(job.id)

    assert reap(ledger).expired == []


async def test_a_hint_is_sent_again_after_a_second_then_less_and_less_often(
    bench: Bench, ledger: Ledger, client: redis.Redis
) -> None:
    job = await bench.accept()
    accepted_ms = (await bench.gate.status(job.id, "tenant-a")).accepted_ms
    due_ms = client.zscore("jobs:hints", job.id)
    waits = []
    for _ in range(3):
        client.zadd("jobs:hints", {job.id: 1})
        assert reap(ledger).unhinted == [(job.id, "tiny")]
        waits.append(client.hget(f"job:{job.id}", "hint_wait_ms"))

    assert due_ms == accepted_ms + 1000
    assert reap(ledger).unhinted == []
    assert waits == [b"2000", b"4000", b"4000"]


async def test_a_round_is_bounded(bench: Bench, ledger: Ledger) -> None:
    for _ in range(70):
        job, _ = await bench.run()
        bench.end_lease(job.id)

    assert [len(reap(ledger).requeued) for _ in range(3)] == [64, 6, 0]


async def test_strangers_in_the_indexes_are_swept_out(bench: Bench, ledger: Ledger, client: redis.Redis) -> None:
    queued = await bench.accept()
    bench.end_lease(queued.id)
    client.zadd("jobs:leases", {"nobody": 1})
    client.zadd("jobs:hints", {"nobody": 1})

    reaped = reap(ledger)

    assert (reaped.requeued, reaped.unhinted) == ([], [])
    assert client.exists("jobs:leases") == 0
    assert client.zrange("jobs:hints", 0, -1) == [queued.id.encode()]
    assert bench.claim(queued.id).epoch == 1


async def test_after_a_restart_of_redis_leases_get_time_to_be_renewed(
    bench: Bench, ledger: Ledger, client: redis.Redis
) -> None:
    (renewed, epoch), (lost, _) = await bench.run(), await bench.run()
    reap(ledger)
    client.hset("reaper:run", "run_id", "the run before")
    bench.end_lease(renewed.id)
    bench.end_lease(lost.id)

    at_once = ledger.reap(worker_id="reaper-1", lock_ms=60_000, lease_ms=60_000)
    still = ledger.reap(worker_id="reaper-1", lock_ms=60_000, lease_ms=60_000)
    ledger.renew("w1", [(renewed.id, epoch)], 60_000)
    client.hset("reaper:run", "after_ms", 1)
    later = ledger.reap(worker_id="reaper-1", lock_ms=60_000, lease_ms=60_000)

    assert (at_once.requeued, still.requeued) == ([], [])
    assert later.requeued == [(lost.id, "tiny")]
