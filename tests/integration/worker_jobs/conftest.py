"""Fixtures: a catalogue with one simulated model, worker processes that end with the test, and jobs."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import redis

from shared.ledger import Ledger
from tests.integration.worker_jobs.workers import CATALOGUE, Jobs, WorkerProcess

StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    (tmp_path / "models.toml").write_text(CATALOGUE)
    return tmp_path


@pytest.fixture(scope="module")
def shared_worker(redis_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """A worker for all tests of a file that leave it as it was."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "models.toml").write_text(CATALOGUE)
    worker = WorkerProcess(redis_server_url, folder).wait_ready()
    yield worker
    worker.kill()


@pytest.fixture
def start_worker(redis_url: str, models_dir: Path) -> Iterator[StartWorker]:
    """Starts workers; `start_worker(lease_s=1)` sets WORKER_LEASE_S, and so on."""
    started: list[WorkerProcess] = []

    def start(url: str = redis_url, **settings: object) -> WorkerProcess:
        started.append(WorkerProcess(url, models_dir, **settings))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for worker in started:
        if worker.is_running:
            worker.kill()


@pytest.fixture
async def jobs(redis_url: str) -> AsyncIterator[Jobs]:
    client = Jobs(redis_url)
    yield client
    await client.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
def ledger(client: redis.Redis) -> Ledger:
    return Ledger(client)
