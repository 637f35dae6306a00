import redis

from shared.events import FinalEvent
from shared.ledger import Claimed, ClaimRefused, Ledger
from tests.integration.ledger.bench import Bench, tokens


async def test_a_claim_gives_the_whole_job_and_a_new_epoch(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept(stop=("\n", "é"), max_tokens=5)

    claimed = ledger.claim(job.id, worker_id="w1", claim_id="c1", lease_ms=1000)

    assert isinstance(claimed, Claimed)
    assert claimed.job == job
    assert (claimed.epoch, claimed.seq) == (1, 0)
    assert bench.indexes(job.id) == {"jobs:leases"}


async def test_the_same_claim_sent_again_is_answered_again(bench: Bench, ledger: Ledger, client: redis.Redis) -> None:
    job = await bench.accept()

    first = ledger.claim(job.id, worker_id="w1", claim_id="c1", lease_ms=1000)
    second = ledger.claim(job.id, worker_id="w1", claim_id="c1", lease_ms=1000)

    assert first == second
    assert client.hmget(f"job:{job.id}", ["epoch", "deliveries", "claims"]) == [b"1", b"1", b"1"]


async def test_the_same_claim_sent_again_holds_the_lease(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()
    ledger.claim(job.id, worker_id="w1", claim_id="c1", lease_ms=60_000)
    bench.end_lease(job.id)

    ledger.claim(job.id, worker_id="w1", claim_id="c1", lease_ms=60_000)

    assert ledger.reap(worker_id="w2", lock_ms=1000).requeued == []


async def test_a_job_is_claimed_by_one_worker_only(bench: Bench, ledger: Ledger) -> None:
    job, _ = await bench.run()

    second = ledger.claim(job.id, worker_id="w2", claim_id="c2", lease_ms=1000)

    assert second == ClaimRefused("leased")


async def test_a_final_or_unknown_job_is_not_claimed(bench: Bench, ledger: Ledger) -> None:
    job = await bench.finished()

    assert ledger.claim(job.id, worker_id="w1", claim_id="c9", lease_ms=1000) == ClaimRefused("final")
    assert ledger.claim("nobody", worker_id="w1", claim_id="c9", lease_ms=1000) == ClaimRefused("gone")


async def test_a_job_past_its_deadline_ends_at_the_claim(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()
    bench.end_deadline(job.id)

    first = ledger.claim(job.id, worker_id="w1", claim_id="c1", lease_ms=1000)
    second = ledger.claim(job.id, worker_id="w1", claim_id="c1", lease_ms=1000)

    assert first == second == ClaimRefused("expired")
    (last,) = ledger.read_log(job.id)
    assert isinstance(last, FinalEvent)
    assert last.error is not None
    assert (last.finish_reason, last.error["code"]) == ("error", "deadline_exceeded")
    assert [entry[b"state"] for entry in bench.outbox()] == [b"expired"]


async def test_the_next_claim_goes_on_after_the_logged_tokens(bench: Bench, ledger: Ledger) -> None:
    job, epoch = await bench.run()
    ledger.append([tokens(job.id, 1, epoch, 3)])
    ledger.release(job.id, epoch)

    claimed = bench.claim(job.id, worker_id="w2")

    assert (claimed.epoch, claimed.seq) == (3, 3)
