from shared.ledger import Claimed, ClaimRefused, Ledger

from tests.integration.ledger.bench import Bench


async def test_a_claim_gives_the_whole_job_and_a_new_epoch(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()

    claimed = ledger.claim(job.id, worker_id="w1", claim_id="c1", lease_ms=1000)

    assert isinstance(claimed, Claimed)
    assert claimed.job == job
    assert (claimed.epoch, claimed.seq) == (1, 0)
    assert bench.indexes(job.id) == {"jobs:leases"}
