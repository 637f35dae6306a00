import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import redis

from shared.catalogue import ModelEntry
from shared.events import TokensEvent
from shared.ledger import Claimed, Ledger
from tests.fakes.sequences import a_job, a_request
from tests.integration.worker_jobs.job_side import JobSide
from tests.integration.worker_jobs.workers import MODEL, Jobs, eventually, expected_tokens
from worker.engine.base import Engine, Piece
from worker.engine.simulated import SimulatedEngine, SimulatedFactory, SimulatedOptions
from worker.model_cache import CacheOptions
from worker.quarantine import Quarantine


class GatedFactory(SimulatedFactory):
    """Opens a model whose decodes wait for the gate."""

    def __init__(self) -> None:
        super().__init__(SimulatedOptions(step_ms=0, load_ms=0, answer_tokens=100_000))
        self.gate = threading.Event()

    def open(self, entry: ModelEntry, path: Path, on_progress: Callable[[float], None] | None = None) -> Engine:
        gate = self.gate

        class GatedEngine(SimulatedEngine):
            def decode(self, pieces: Sequence[Piece]) -> None:
                gate.wait(20)
                super().decode(pieces)

        return GatedEngine(entry, self._options)


class PatchyLedger(Ledger):
    """A real ledger that cannot be reached for some calls; those of `claim` are executed, but not answered."""

    lost_releases = 0
    lost_claims = 0
    lost_reads = 0

    def claim(self, job_id, **given):  # type: ignore[no-untyped-def]
        answer = super().claim(job_id, **given)
        if self.lost_claims:
            self.lost_claims -= 1
            raise redis.ConnectionError("the answer was lost")
        return answer

    def release(self, job_id: str, epoch: int):  # type: ignore[no-untyped-def]
        if self.lost_releases:
            self.lost_releases -= 1
            raise redis.ConnectionError("Redis is away")
        return super().release(job_id, epoch)

    def read_log(self, job_id: str, after_seq: int = 0):  # type: ignore[no-untyped-def]
        if self.lost_reads:
            self.lost_reads -= 1
            raise redis.ConnectionError("Redis is away")
        return super().read_log(job_id, after_seq)


@pytest.fixture
def ledger(client: redis.Redis) -> PatchyLedger:
    return PatchyLedger(client)


@pytest.fixture
def side(ledger: Ledger, jobs: Jobs, models_dir: Path) -> Iterator[JobSide]:
    side = JobSide(ledger, jobs.app, models_dir).start()
    yield side
    side.stop()


@pytest.fixture
def factory() -> Iterator[GatedFactory]:
    factory = GatedFactory()
    yield factory
    factory.gate.set()


@pytest.fixture
def gated(ledger: Ledger, jobs: Jobs, models_dir: Path, factory: GatedFactory) -> Iterator[JobSide]:
    """A job side whose model hangs and counts as stalled after a moment."""
    options = CacheOptions(budget_bytes=2**30, stall_s=0.01, prefill_stall_s=0.01)
    side = JobSide(ledger, jobs.app, models_dir, factory=factory, options=options).start()
    yield side
    factory.gate.set()
    side.stop()


async def run(side: JobSide, job_id: str) -> None:
    thread = side.take_hint(job_id)
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()


async def begun(jobs: Jobs, ledger: Ledger) -> tuple[str, int]:
    """A queued job whose log has tokens of an earlier worker, and their number."""
    job = await jobs.accept(max_tokens=10)
    claimed = ledger.claim(job.id, worker_id="earlier", claim_id="c", lease_ms=60_000)
    assert isinstance(claimed, Claimed)
    ids = expected_tokens(job)[:4]
    ledger.append([TokensEvent(job.id, 1, claimed.epoch, ids, ["", "", "", ""])])
    ledger.release(job.id, claimed.epoch)
    return job.id, len(ids)


async def test_a_job_whose_model_hangs_here_goes_back_uncounted(
    jobs: Jobs, client: redis.Redis, gated: JobSide
) -> None:
    with gated.cache.use(MODEL) as loaded:
        loaded.submit(a_request(a_job("the one that hangs", model=MODEL)))

        async def is_stalled() -> bool:
            return loaded.is_stalled(time.monotonic())

        await eventually(is_stalled)
        job = await jobs.accept()

        await run(gated, job.id)

    assert (await jobs.ledger.status(job.id, "tenant")).state == "queued"
    assert client.hget(f"job:{job.id}", "deliveries") == b"0"


async def test_a_job_that_cannot_be_read_ends_with_an_error_and_leaves_no_prompt_in_the_log(
    jobs: Jobs,
    client: redis.Redis,
    side: JobSide,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = await jobs.accept()
    client.hset(f"job:{job.id}", "payload", b'{"messages": [{"role": "user", "content": ["my secret"]}]}')

    await run(side, job.id)

    logged = caplog.text + capsys.readouterr().out
    assert "job_unreadable" in logged
    assert "secret" not in logged
    _, final = await jobs.result(job)
    assert final.error is not None
    assert final.error["code"] == "inference_error"


async def test_a_claim_whose_log_is_out_of_reach_goes_back_uncounted(
    jobs: Jobs, client: redis.Redis, ledger: PatchyLedger, side: JobSide
) -> None:
    job_id, seq = await begun(jobs, ledger)
    ledger.lost_reads = 1

    await run(side, job_id)

    status = await jobs.ledger.status(job_id, "tenant")
    assert (status.state, status.seq) == ("queued", seq)
    assert client.hmget(f"job:{job_id}", ["deliveries", "claims"]) == [b"0", b"0"]
    assert [key async for key in jobs.client.scan_iter("q:model.sim*")] != []  # another worker is woken


async def test_a_job_that_comes_while_a_suspect_runs_goes_back_though_redis_is_away_for_a_moment(
    jobs: Jobs, ledger: PatchyLedger, side: JobSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await jobs.accept()
    ledger.lost_releases = 1
    monkeypatch.setattr(Quarantine, "is_on", True)

    await run(side, job.id)

    assert (await jobs.ledger.status(job.id, "tenant")).state == "queued"
    assert len(side.jobs) == 0


async def test_a_log_that_cannot_be_understood_ends_the_job_with_an_error(
    jobs: Jobs, client: redis.Redis, ledger: PatchyLedger, side: JobSide
) -> None:
    job_id, seq = await begun(jobs, ledger)
    client.xadd(f"tok:{job_id}", {"d": "no event"}, id=f"{seq + 1}-0")
    client.hset(f"job:{job_id}", "seq", str(seq + 1))

    await run(side, job_id)

    assert (await jobs.ledger.status(job_id, "tenant")).state == "failed"


async def test_a_claim_whose_answer_is_lost_is_sent_again(jobs: Jobs, ledger: PatchyLedger, side: JobSide) -> None:
    job = await jobs.accept(max_tokens=5)
    ledger.lost_claims = 2

    await run(side, job.id)

    ids, final = await jobs.result(job)
    assert ids == expected_tokens(job)
    assert final.epoch == 1


async def test_what_the_worker_counted_of_the_prompt_is_in_an_end_without_it(
    jobs: Jobs, ledger: PatchyLedger, side: JobSide
) -> None:
    job = await jobs.accept(max_tokens=4000)
    side.take_hint(job.id)
    await jobs.wait_for_tokens(job, 5)
    side.leases.renew()
    counted = side.jobs.all()[0].lease().prompt_tokens
    side.handover.hand_over(5)

    await jobs.ledger.cancel(job.id, "tenant")

    _, final = await jobs.result(job)
    assert counted > 0
    assert final.usage.prompt_tokens == counted
