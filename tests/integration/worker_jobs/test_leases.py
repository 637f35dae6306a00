import asyncio
from collections.abc import Iterator

import pytest
import redis

from shared.ledger import Claimed, Ledger
from tests.integration.worker_jobs.workers import ENTRY, Jobs, eventually
from worker import running
from worker.engine.simulated import SimulatedEngine, SimulatedOptions
from worker.leases import Leases
from worker.loaded_model import LoadedModel
from worker.running import RunningJob, RunningJobs
from worker.sequence import SequenceRequest

LEASE_S = 0.4


@pytest.fixture
def running_jobs() -> RunningJobs:
    return RunningJobs()


@pytest.fixture
def leases(ledger: Ledger, running_jobs: RunningJobs) -> Leases:
    return Leases(ledger, running_jobs, worker_id="w", lease_s=LEASE_S)


@pytest.fixture
def hanging_model() -> Iterator[LoadedModel]:
    """A model whose first step takes seconds and counts as stalled after a moment."""
    engine = SimulatedEngine(ENTRY, SimulatedOptions(step_ms=3000))
    model = LoadedModel(ENTRY, engine, stall_s=0.01, prefill_stall_s=0.01)
    yield model
    model.close()


async def claim(jobs: Jobs, ledger: Ledger, **fields: object) -> RunningJob:
    job = await jobs.accept(**fields)  # type: ignore[arg-type]
    claimed = ledger.claim(job.id, worker_id="w", claim_id=job.id, lease_ms=round(LEASE_S * 1000))
    assert isinstance(claimed, Claimed)
    return RunningJob(claimed.job, epoch=claimed.epoch, seq=0, notify=lambda _: None)


def expiry_ms(client: redis.Redis, job: RunningJob) -> float:
    score = client.zscore("jobs:leases", job.id)
    assert isinstance(score, float)
    return score


async def test_a_job_whose_model_loads_is_renewed(
    jobs: Jobs, client: redis.Redis, ledger: Ledger, leases: Leases, running_jobs: RunningJobs
) -> None:
    job = await claim(jobs, ledger)
    before = expiry_ms(client, job)
    await asyncio.sleep(0.01)

    with running_jobs.hold(job):
        leases.renew()

    assert expiry_ms(client, job) > before


async def test_a_lost_lease_ends_the_job_here(
    jobs: Jobs, ledger: Ledger, leases: Leases, running_jobs: RunningJobs
) -> None:
    job = await claim(jobs, ledger)
    ledger.release(job.id, job.epoch)

    with running_jobs.hold(job):
        leases.renew()

        assert job.is_over


async def test_a_wanted_cancel_is_heard_without_any_token(
    jobs: Jobs, ledger: Ledger, leases: Leases, running_jobs: RunningJobs
) -> None:
    job = await claim(jobs, ledger)
    await jobs.ledger.cancel(job.id, "tenant")

    with running_jobs.hold(job):
        leases.renew()
        batch = job.take()

    assert batch is not None
    assert batch.final is not None
    assert batch.final.finish_reason == "cancelled"


async def test_a_job_whose_model_hangs_is_not_renewed_and_dropped_when_its_lease_is_gone(
    jobs: Jobs,
    client: redis.Redis,
    ledger: Ledger,
    leases: Leases,
    running_jobs: RunningJobs,
    hanging_model: LoadedModel,
) -> None:
    job = await claim(jobs, ledger)
    before = expiry_ms(client, job)

    with running_jobs.hold(job):
        request = SequenceRequest(job=job.job, epoch=job.epoch, logged=[], emit=job.emit)
        job.submit_to(hanging_model, request)
        await asyncio.sleep(0.1)
        leases.renew()
        is_over_at_once = job.is_over
        await asyncio.sleep(LEASE_S + 0.1)
        leases.renew()

        assert not is_over_at_once
        assert job.is_over
    assert expiry_ms(client, job) == before


async def test_a_cancel_is_heard_soon_though_the_lease_is_long(
    jobs: Jobs, ledger: Ledger, running_jobs: RunningJobs
) -> None:
    leases = Leases(ledger, running_jobs, worker_id="w", lease_s=600)
    job = await claim(jobs, ledger)

    with running_jobs.hold(job):
        leases.start()
        await asyncio.sleep(0.2)
        await jobs.ledger.cancel(job.id, "tenant")

        async def is_heard() -> bool:
            return job.is_closed

        await eventually(is_heard)


async def test_a_job_whose_load_hangs_is_not_renewed(
    jobs: Jobs, client: redis.Redis, ledger: Ledger, running_jobs: RunningJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LOAD_STALL_S", 0.1)
    progress = {"sim": 0.5}
    leases = Leases(ledger, running_jobs, worker_id="w", lease_s=LEASE_S, loading=lambda: progress)
    job = await claim(jobs, ledger)

    with running_jobs.hold(job):
        leases.renew()
        while_it_loads = expiry_ms(client, job)
        await asyncio.sleep(0.15)
        leases.renew()
        when_it_hangs = expiry_ms(client, job)
        progress["sim"] = 0.6
        leases.renew()

        assert when_it_hangs == while_it_loads
        assert expiry_ms(client, job) > while_it_loads
