"""A worker serves a LoRA adapter as a model of its own, beside its base."""

from pathlib import Path

import pytest

from tests.fakes.random_gguf import write_random_gguf
from tests.fakes.random_lora import write_random_lora
from tests.integration.worker_jobs.workers import Jobs
from tests.integration.worker_models.conftest import StartWorker, entry


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    write_random_gguf(tmp_path / "base.gguf")
    write_random_lora(tmp_path / "lora.gguf")
    adapter = '[models.{name}]\nbase = "base"\nfile = "lora.gguf"\nkind = "chat"\nscale = {scale}\n'
    lines = [entry("base", context_length=256)]
    lines += [adapter.format(name=name, scale=scale) for name, scale in (("tuned", 1.0), ("muted", 0.0))]
    (tmp_path / "models.toml").write_text("\n".join(lines))
    return tmp_path


async def test_base_and_adapter_answer_differently_in_one_worker(start_worker: StartWorker, jobs: Jobs) -> None:
    start_worker(engine="llama", model_budget_bytes=0, slots=2, gpu_layers=0, threads=1).wait_ready()

    answers = {}
    for model in ("base", "tuned", "muted"):
        job = await jobs.send(model=model, max_tokens=12)
        answers[model], final = await jobs.result(job)
        assert final.finish_reason in ("stop", "length")

    assert answers["base"] == answers["muted"]
    assert answers["base"] != answers["tuned"]
