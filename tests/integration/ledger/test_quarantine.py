"""Jobs that may have killed their workers: who is suspected, who is cleared, who is given up."""

from asyncio import sleep

import redis

from shared.bodies.keys import Limits
from shared.events import FinalEvent
from shared.ledger import AsyncLedger, ClaimRefused, Hint, Ledger
from tests.integration.ledger.bench import Bench, tokens

CLAIM = {"worker_id": "w9", "claim_id": "c9", "lease_ms": 60_000}


async def test_two_losses_without_progress_make_a_job_run_alone(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()
    bench.lose(job.id)
    free = bench.ledger.next_quarantined("tiny")

    reaped = bench.lose(job.id)

    assert free is None
    assert reaped.requeued == [Hint(job.id, "tiny", "interactive")]
    assert ledger.next_quarantined("tiny") == job.id
    assert ledger.claim(job.id, **CLAIM) == ClaimRefused("quarantined", "tiny")  # type: ignore[arg-type]
    assert not bench.claim(job.id, is_alone=True).stays_alone
    assert ledger.next_quarantined("tiny") is None


async def test_the_third_loss_alone_is_the_last(
    bench: Bench, ledger: Ledger, gate: AsyncLedger, client: redis.Redis
) -> None:
    job = await bench.accept(Limits(concurrent_jobs=1))
    bench.lose(job.id, 2)

    reaped = bench.lose(job.id, is_alone=True)

    assert (reaped.dead, reaped.requeued) == ([job.id], [])
    (last,) = ledger.read_log(job.id)
    assert isinstance(last, FinalEvent)
    assert last.error is not None
    assert last.error["code"] == "worker_lost"
    assert ledger.claim(job.id, **CLAIM) == ClaimRefused("dead")  # type: ignore[arg-type]
    assert (await gate.status(job.id, "tenant-a")).state == "dead"
    ((_, dead),) = client.xrange("jobs:dead")  # type: ignore[misc]
    assert (dead[b"job_id"], dead[b"deliveries"], dead[b"worker"]) == (job.id.encode(), b"3", b"w1")
    assert bench.indexes(job.id) == set()


async def test_progress_alone_clears_a_job(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()
    bench.lose(job.id, 2)
    ledger.append([tokens(job.id, 1, bench.claim(job.id, is_alone=True).epoch)])
    bench.end_lease(job.id)

    ledger.reap(worker_id="reaper-1", lock_ms=60_000)

    assert ledger.next_quarantined("tiny") is None
    assert bench.claim(job.id).seq == 1


async def test_a_release_keeps_a_suspect_and_clears_one_that_has_progressed(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()
    bench.lose(job.id, 2)
    ledger.release(job.id, bench.claim(job.id, is_alone=True).epoch)
    suspect = ledger.next_quarantined("tiny")
    epoch = bench.claim(job.id, is_alone=True).epoch
    ledger.append([tokens(job.id, 1, epoch)])

    ledger.release(job.id, epoch)

    assert suspect == job.id
    assert ledger.next_quarantined("tiny") is None
    assert bench.claim(job.id).epoch == epoch + 2


async def test_progress_clears_up_to_eight_losses_and_the_tenth_is_the_last(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()

    def lose_after_a_token(seq: int, *, is_alone: bool) -> bool:
        claimed = bench.claim(job.id, is_alone=is_alone)
        ledger.append([tokens(job.id, seq, claimed.epoch)])
        bench.end_lease(job.id)
        assert ledger.reap(worker_id="reaper-1", lock_ms=60_000).dead == ([job.id] if seq == 10 else [])
        return claimed.stays_alone

    for seq in range(1, 9):
        assert ledger.next_quarantined("tiny") is None
        assert not lose_after_a_token(seq, is_alone=False)
    assert ledger.next_quarantined("tiny") == job.id

    assert [lose_after_a_token(seq, is_alone=True) for seq in (9, 10)] == [True, True]
    assert len(ledger.read_log(job.id)) == 11


async def test_a_suspect_is_cancelled_and_expires_like_any_other(
    bench: Bench, ledger: Ledger, gate: AsyncLedger
) -> None:
    cancelled, late = await bench.accept(), await bench.accept()
    for job in (cancelled, late):
        bench.lose(job.id, 2)
    bench.end_deadline(late.id)

    await gate.cancel(cancelled.id, "tenant-a")
    ledger.reap(worker_id="reaper-1", lock_ms=60_000)

    assert (await gate.status(cancelled.id, "tenant-a")).state == "cancelled"
    assert (await gate.status(late.id, "tenant-a")).state == "expired"
    assert ledger.next_quarantined("tiny") is None


async def test_the_oldest_suspect_is_the_next(bench: Bench, ledger: Ledger) -> None:
    jobs = [await bench.accept() for _ in range(3)]
    for number, job in enumerate(reversed(jobs)):
        bench.set_accepted(job, number)
        bench.lose(job.id, 2)

    assert ledger.next_quarantined("tiny") == jobs[-1].id
    assert ledger.next_quarantined("large") is None


async def test_one_worker_at_a_time_holds_the_quarantine(ledger: Ledger) -> None:
    assert ledger.hold_quarantine("w1", 60_000)
    assert ledger.hold_quarantine("w1", 60_000)
    assert not ledger.hold_quarantine("w2", 60_000)

    ledger.leave_quarantine("w2")
    assert not ledger.hold_quarantine("w2", 60_000)
    ledger.leave_quarantine("w1")
    ledger.leave_quarantine("w1")
    assert ledger.hold_quarantine("w2", 60_000)


async def test_a_worker_that_dies_in_the_quarantine_leaves_it(ledger: Ledger) -> None:
    ledger.hold_quarantine("w1", 5)
    await sleep(0.02)

    assert ledger.hold_quarantine("w2", 60_000)
