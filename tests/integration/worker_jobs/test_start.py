"""How a worker starts: what it says about itself, what it does until its models are there, and why it may refuse."""

import socket
import time
from pathlib import Path

from tests.integration.worker_jobs.conftest import StartWorker
from tests.integration.worker_jobs.workers import Jobs, eventually
from tests.servers import free_port


async def test_a_job_is_cancelled_while_its_model_loads(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker(simulated_load_ms=20000).wait_ready()
    job = await jobs.send()

    async def is_loading() -> bool:
        return any("sim" in body.loading for body in await jobs.ledger.workers() if body.id == worker.id)

    await eventually(is_loading)

    await jobs.ledger.cancel(job.id, job.tenant_id)
    _, final = await jobs.result(job, timeout_s=10)

    assert final.finish_reason == "cancelled"


async def test_what_a_worker_says_about_itself(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker(slots=3, preload="sim").wait_ready()

    async def is_said() -> bool:
        return [body.held_models for body in await jobs.ledger.workers() if body.id == worker.id] == [["sim"]]

    await eventually(is_said)
    [said] = [body for body in await jobs.ledger.workers() if body.id == worker.id]
    assert (said.engine, said.slots, said.busy_slots, said.is_draining) == ("simulated", 3, 0, False)
    assert 'drover_models_loaded{model="sim"} 1.0' in worker.get("/metrics")[1]
    assert worker.get("/livez")[0] == 200


async def test_a_job_that_waits_for_a_slot_hears_its_deadline_too(start_worker: StartWorker, jobs: Jobs) -> None:
    start_worker(slots=1).wait_ready()
    running = await jobs.send(max_tokens=4000)
    await jobs.wait_for_tokens(running, 1)

    began = time.monotonic()
    waiting = await jobs.send(max_tokens=5, timeout_s=0.5)
    _, final = await jobs.result(waiting)

    assert final.error is not None
    assert final.error["code"] == "deadline_exceeded"
    assert time.monotonic() - began < 15


def test_an_unreachable_redis_is_one_sentence(start_worker: StartWorker) -> None:
    worker = start_worker(f"redis://:secret@127.0.0.1:{free_port()}/0", start_timeout_s=0.5)

    assert worker.wait() == 1
    assert "start it, or set REDIS_URL" in worker.log.read_text()
    assert "secret" not in worker.log.read_text()
    assert "Traceback" not in worker.log.read_text()


def test_a_taken_port_is_one_sentence(start_worker: StartWorker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        worker = start_worker(metrics_port=taken.getsockname()[1])

        assert worker.wait() == 1
    assert "set WORKER_METRICS_PORT" in worker.log.read_text()
    assert "Traceback" not in worker.log.read_text()


def test_a_missing_catalogue_is_one_sentence(start_worker: StartWorker, models_dir: Path) -> None:
    (models_dir / "models.toml").unlink()

    worker = start_worker()

    assert worker.wait() == 1
    assert "set DROVER_MODELS_DIR" in worker.log.read_text()
    assert "Traceback" not in worker.log.read_text()


def test_a_preloaded_model_without_a_file_is_one_sentence(start_worker: StartWorker) -> None:
    worker = start_worker(engine="llama", preload="sim")

    assert worker.wait() == 1
    assert "The model sim of WORKER_PRELOAD cannot be loaded" in worker.log.read_text()
    assert "Traceback" not in worker.log.read_text()


def test_a_worker_that_preloads_ends_at_a_signal_too(start_worker: StartWorker) -> None:
    worker = start_worker(preload="sim", simulated_load_ms=60000)
    end = time.monotonic() + 20
    while worker.get("/readyz")[0] == 0 and time.monotonic() < end:
        time.sleep(0.05)

    worker.terminate()

    assert worker.wait() == 0
