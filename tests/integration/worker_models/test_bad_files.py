"""A worker on llama.cpp with files that are no models: typed errors, and the good model serves on."""

from pathlib import Path

import pytest

from tests.fakes.random_gguf import write_random_gguf
from tests.integration.worker_jobs.workers import Jobs, WorkerProcess
from tests.integration.worker_models.conftest import StartWorker, entry


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    good = write_random_gguf(tmp_path / "good.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(good[: len(good) // 2])
    (tmp_path / "noise.gguf").write_bytes(b"no model at all")
    (tmp_path / "other.gguf").write_bytes(good)
    lines = [entry(name, context_length=256) for name in ("good", "cut", "noise", "missing")]
    lines.append(entry("other", context_length=256, sha256="0" * 64))
    lines.append(entry("outside", context_length=256, file="../good.gguf"))
    lines.append(entry("huge", context_length=1 << 30, file="good.gguf"))
    lines.append('[models.vectors]\nfile = "good.gguf"\nkind = "embedding"\ncontext_length = 64\n')
    (tmp_path / "models.toml").write_text("\n".join(lines))
    return tmp_path


def llama_worker(start_worker: StartWorker, **settings: object) -> WorkerProcess:
    return start_worker(engine="llama", model_budget_bytes=0, slots=2, gpu_layers=0, threads=1, **settings).wait_ready()


async def test_each_bad_file_is_a_typed_error_and_others_are_unhurt(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = llama_worker(start_worker, preload="good")
    expected = {
        "cut": "model_load_error",
        "noise": "model_load_error",
        "missing": "model_load_error",
        "other": "model_load_error",
        "outside": "model_load_error",
        "huge": "insufficient_memory",
    }

    bad = {model: await jobs.send(model=model, max_tokens=5) for model in expected}
    good = [await jobs.send(model="good", max_tokens=5) for _ in range(3)]
    codes = {model: ((await jobs.result(job))[1].error or {}).get("code") for model, job in bad.items()}

    assert codes == expected
    assert {(await jobs.result(job))[1].finish_reason for job in good} <= {"stop", "length"}
    assert worker.is_running


async def test_a_file_that_is_mended_is_loaded_after_the_pause(
    start_worker: StartWorker, jobs: Jobs, models_dir: Path
) -> None:
    llama_worker(start_worker)
    _, broken = await jobs.result(await jobs.send(model="cut", max_tokens=5))
    (models_dir / "cut.gguf").write_bytes((models_dir / "good.gguf").read_bytes())

    ends: list[str] = [broken.finish_reason]
    while ends[-1] == "error" and len(ends) < 200:
        ends.append((await jobs.result(await jobs.send(model="cut", max_tokens=5)))[1].finish_reason)

    assert ends[0] == "error"
    assert ends[-1] in ("stop", "length")
