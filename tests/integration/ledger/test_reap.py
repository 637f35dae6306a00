from asyncio import sleep

import redis

from shared.ledger import AsyncLedger, Hint, Lease, Ledger, Reaped
from tests.integration.ledger.bench import Bench, redis_seconds, tokens


def reap(ledger: Ledger, worker_id: str = "reaper-1") -> Reaped:
    return ledger.reap(worker_id=worker_id, lock_ms=60_000)


async def test_a_job_whose_lease_ended_goes_back_to_its_queue(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()
    bench.claim(job.id, lease_ms=1)
    await sleep(0.01)

    reaped = reap(ledger)

    assert reaped.got_lock
    assert reaped.requeued == [Hint(job.id, "tiny", "interactive")]
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
        assert reap(ledger).unhinted == [Hint(job.id, "tiny", "interactive")]
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


async def test_what_a_hint_needs_comes_with_each_job(bench: Bench, ledger: Ledger) -> None:
    begun, epoch = await bench.run(priority="batch")
    ledger.append([tokens(begun.id, 1, epoch)])
    bench.end_lease(begun.id)

    assert reap(ledger).requeued == [Hint(begun.id, "tiny", "batch", is_begun=True)]


async def test_a_job_that_a_younger_one_has_overtaken_has_lost_its_hint(
    bench: Bench, ledger: Ledger, client: redis.Redis
) -> None:
    lost, younger, other_class = await bench.accept(), await bench.accept(), await bench.accept(priority="batch")
    client.hincrby(f"job:{younger.id}", "accepted_ms", 1500)
    bench.claim(younger.id)
    for job in (lost, other_class):
        client.zadd("jobs:hints", {job.id: 1})

    reaped = reap(ledger)

    assert reaped.overtaken == [Hint(lost.id, "tiny", "interactive")]
    assert reaped.unhinted == [Hint(other_class.id, "tiny", "batch")]


async def test_a_job_that_goes_back_to_the_queue_overtakes_nobody(
    bench: Bench, ledger: Ledger, client: redis.Redis
) -> None:
    job, waiting = await bench.accept(), await bench.accept()
    bench.lose(job.id)
    client.hincrby(f"job:{job.id}", "accepted_ms", 1500)
    bench.claim(job.id)
    client.zadd("jobs:hints", {waiting.id: 1})

    assert reap(ledger).overtaken == []


async def test_after_a_gap_in_the_rounds_leases_get_time_to_be_renewed(
    bench: Bench, ledger: Ledger, client: redis.Redis
) -> None:
    (renewed, epoch), (lost, _) = await bench.run(), await bench.run()
    reap(ledger)
    client.hincrby("reaper:run", "last_ms", -3000)
    bench.end_lease(renewed.id)
    bench.end_lease(lost.id)

    at_once = ledger.reap(worker_id="reaper-1", lock_ms=60_000, lease_ms=60_000)
    still = ledger.reap(worker_id="reaper-1", lock_ms=60_000, lease_ms=60_000)
    ledger.renew("w1", [Lease(renewed.id, epoch)], 60_000)
    client.hset("reaper:run", "after_ms", 1)
    later = ledger.reap(worker_id="reaper-1", lock_ms=60_000, lease_ms=60_000)

    assert (at_once.requeued, still.requeued) == ([], [])
    assert later.requeued == [Hint(lost.id, "tiny", "interactive")]


async def test_who_was_away_while_others_did_their_rounds_finds_no_gap(
    bench: Bench, ledger: Ledger, client: redis.Redis
) -> None:
    job, _ = await bench.run()
    reap(ledger, "back again")
    client.hincrby("reaper:run", "last_ms", -3000)  # its own last round is long ago
    client.delete("reaper")
    reap(ledger, "the others")
    client.hset("reaper:run", "after_ms", 0)
    client.delete("reaper")
    bench.end_lease(job.id)

    assert reap(ledger, "back again").requeued == [Hint(job.id, "tiny", "interactive")]


async def test_a_clock_that_was_set_back_prolongs_no_grace(bench: Bench, ledger: Ledger, client: redis.Redis) -> None:
    job, _ = await bench.run()
    bench.end_lease(job.id)
    now_ms = int(redis_seconds(client) * 1000)
    client.hset("reaper:run", mapping={"last_ms": now_ms + 3_600_000, "after_ms": now_ms + 3_600_000})

    assert ledger.reap(worker_id="reaper-1", lock_ms=60_000, lease_ms=1).requeued == []
    await sleep(0.02)
    assert ledger.reap(worker_id="reaper-1", lock_ms=60_000, lease_ms=1).requeued != []
