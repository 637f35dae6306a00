import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import redis

from shared.catalogue import Catalogue, ModelEntry
from shared.ledger import Ledger
from tests.fakes.sequences import a_job, a_request
from tests.integration.worker_jobs.workers import MODEL, Jobs, eventually
from worker.engine.base import Engine, Piece
from worker.engine.simulated import SimulatedEngine, SimulatedFactory, SimulatedOptions
from worker.model_cache import CacheOptions, ModelCache
from worker.publisher import Publisher
from worker.runner import Runner
from worker.running import RunningJobs


class GatedFactory(SimulatedFactory):
    """Opens a model whose decodes wait for the gate."""

    def __init__(self) -> None:
        super().__init__(SimulatedOptions(step_ms=0, load_ms=0, answer_tokens=100_000))
        self.gate = threading.Event()

    def open(self, entry: ModelEntry, path: Path) -> Engine:
        gate = self.gate

        class GatedEngine(SimulatedEngine):
            def decode(self, pieces: Sequence[Piece]) -> None:
                gate.wait(20)
                super().decode(pieces)

        return GatedEngine(entry, self._options)


@pytest.fixture
def factory() -> GatedFactory:
    return GatedFactory()


@pytest.fixture
def cache(factory: GatedFactory, models_dir: Path) -> Iterator[ModelCache]:
    options = CacheOptions(budget_bytes=2**30, stall_s=0.01, prefill_stall_s=0.01)
    cache = ModelCache(Catalogue.load(models_dir), factory, options)
    yield cache
    factory.gate.set()
    cache.close()


@pytest.fixture
def runner(ledger: Ledger, cache: ModelCache) -> Iterator[Runner]:
    running_jobs = RunningJobs()
    publisher = Publisher(ledger, running_jobs)
    publisher.start()
    yield Runner(ledger, cache, running_jobs, publisher, worker_id="w", lease_ms=10_000)
    publisher.stop()


async def test_a_job_whose_model_hangs_here_goes_back_uncounted(
    jobs: Jobs, client: redis.Redis, cache: ModelCache, runner: Runner
) -> None:
    with cache.use(MODEL) as loaded:
        loaded.submit(a_request(a_job("the one that hangs", model=MODEL)))

        async def is_stalled() -> bool:
            return loaded.is_stalled(time.monotonic())

        await eventually(is_stalled)
        job = await jobs.accept()

        thread = threading.Thread(target=runner.run, args=[job.id], daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, 10)

    assert not thread.is_alive()
    assert (await jobs.ledger.status(job.id, "tenant")).state == "queued"
    assert client.hget(f"job:{job.id}", "deliveries") == b"0"


async def test_a_job_that_cannot_be_read_leaves_no_prompt_in_the_log(
    jobs: Jobs,
    client: redis.Redis,
    runner: Runner,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = await jobs.accept()
    client.hset(f"job:{job.id}", "payload", b'{"messages": [{"role": "user", "content": ["my secret"]}]}')

    runner.run(job.id)

    logged = caplog.text + capsys.readouterr().out
    assert "claim_failed" in logged
    assert "secret" not in logged
