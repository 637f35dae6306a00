"""Fixtures: six simulated models, worker processes with room for some of them, and jobs."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.worker_jobs.workers import Jobs, WorkerProcess

MODEL_BYTES = 64 * 1024 * 1024
"""What a simulated model takes."""

MODELS = [f"m{index}" for index in range(6)]
StartWorker = Callable[..., WorkerProcess]


def entry(name: str, **fields: object) -> str:
    """The lines of one model in models.toml."""
    values = {"file": f"{name}.gguf", "kind": "chat", "context_length": 4096, "template": "chatml"} | fields
    lines = [f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in values.items()]
    return "\n".join([f"[models.{name}]", *lines, ""])


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    (tmp_path / "models.toml").write_text("\n".join(entry(name) for name in MODELS))
    return tmp_path


@pytest.fixture
def start_worker(redis_url: str, models_dir: Path) -> Iterator[StartWorker]:
    """Starts workers; `start_worker(room=2)` has room for two models, other names set WORKER_…."""
    started: list[WorkerProcess] = []

    def start(room: int = 2, **settings: object) -> WorkerProcess:
        budget = {"model_budget_bytes": room * MODEL_BYTES + 1}
        started.append(WorkerProcess(redis_url, models_dir, **{**budget, "simulated_answer_tokens": 20, **settings}))
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
