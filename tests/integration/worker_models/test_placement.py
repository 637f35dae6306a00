"""Real workers share models by demand: everything is served, nothing thrashes, nothing is repaired that need not be."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

from shared.bodies.workers import WorkerBody
from tests.integration.worker_jobs.workers import Jobs, WorkerProcess, eventually
from tests.integration.worker_models.conftest import MODELS, StartWorker, entry

ZIPF = [1 / rank for rank in range(1, 7)]


def loads(workers: Sequence[WorkerProcess]) -> int:
    return sum(worker.log.read_text().count("model_loaded") for worker in workers)


async def said_by(jobs: Jobs, worker: WorkerProcess) -> WorkerBody | None:
    return next((body for body in await jobs.ledger.workers() if body.id == worker.id), None)


async def holds(jobs: Jobs, worker: WorkerProcess, *models: str) -> None:
    """Return when the worker says that it holds exactly these models."""

    async def is_said() -> bool:
        body = await said_by(jobs, worker)
        return body is not None and set(body.held_models) == set(models)

    await eventually(is_said)


async def test_a_model_that_nobody_holds_is_loaded_for_its_first_job(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker().wait_ready()

    job = await jobs.send(model="m3", max_tokens=5)
    _, final = await jobs.result(job)

    assert final.finish_reason == "length"
    await holds(jobs, worker, "m3")
    assert "hint_repaired" not in worker.log.read_text()


async def test_skewed_demand_for_six_models_on_three_workers(start_worker: StartWorker, jobs: Jobs) -> None:
    workers = [start_worker(room=2, simulated_step_ms=2, simulated_load_ms=300) for _ in range(3)]
    for worker in workers:
        worker.wait_ready()
    dice = random.Random(1)

    sent = []
    for _ in range(150):
        sent.append(await jobs.send(model=dice.choices(MODELS, ZIPF)[0], max_tokens=20))
        await asyncio.sleep(dice.expovariate(40))
    ends = [await jobs.result(job, timeout_s=40) for job in sent]

    assert {final.finish_reason for _, final in ends} == {"length"}
    assert {job.model for job in sent} == set(MODELS)
    assert loads(workers) <= 15
    assert all("hint_repaired" not in worker.log.read_text() for worker in workers)


async def test_two_hot_models_take_turns_where_there_is_room_for_one(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker(room=1, simulated_step_ms=2).wait_ready()

    async def stream(model: str) -> list[str]:
        ends = []
        for _ in range(25):
            ends.append((await jobs.result(await jobs.send(model=model, max_tokens=20), timeout_s=40))[1].finish_reason)
        return ends

    ends = await asyncio.gather(stream("m0"), stream("m1"))

    assert ends == [["length"] * 25, ["length"] * 25]
    assert loads([worker]) <= 10


async def test_a_cold_model_gets_its_place_beside_a_model_that_is_always_busy(
    start_worker: StartWorker, jobs: Jobs
) -> None:
    worker = start_worker(room=1, slots=2).wait_ready()
    is_over = False

    async def keep_busy() -> None:
        while not is_over:
            await jobs.result(await jobs.send(model="m0", max_tokens=20), timeout_s=60)

    busy = [asyncio.create_task(keep_busy()) for _ in range(3)]
    await holds(jobs, worker, "m0")
    _, final = await jobs.result(await jobs.send(model="m5", max_tokens=5), timeout_s=40)
    is_over = True
    await asyncio.gather(*busy)

    assert final.finish_reason == "length"


async def test_a_long_answer_gives_its_place_to_a_model_that_waits_and_goes_on_later(
    start_worker: StartWorker, jobs: Jobs
) -> None:
    start_worker(room=1, simulated_answer_tokens=5000).wait_ready()
    long = await jobs.send(model="m0", max_tokens=2000, resume_grace_s=None)
    await jobs.wait_for_tokens(long, 10)

    short = await jobs.send(model="m1", max_tokens=5)
    _, final = await jobs.result(short, timeout_s=40)
    is_long_over = (await jobs.ledger.status(long.id, long.tenant_id)).is_final
    tokens, long_final = await jobs.result(long, timeout_s=60)

    assert final.finish_reason == "length"
    assert not is_long_over
    assert long_final.finish_reason == "length"
    assert len(tokens) == 2000
    assert long_final.epoch > 1


async def test_the_models_of_a_killed_worker_are_served_by_another(start_worker: StartWorker, jobs: Jobs) -> None:
    first = start_worker(simulated_answer_tokens=5000).wait_ready()
    job = await jobs.send(model="m0", max_tokens=600)
    await jobs.wait_for_tokens(job, 10)
    second = start_worker(simulated_answer_tokens=5000).wait_ready()

    first.kill()
    _, final = await jobs.result(job)

    assert final.epoch > 1
    await holds(jobs, second, "m0")


async def test_a_load_is_announced_while_it_goes_on(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker(simulated_load_ms=4000).wait_ready()
    job = await jobs.send(model="m0", max_tokens=5)
    seen: set[float] = set()

    async def is_held() -> bool:
        body = await said_by(jobs, worker)
        assert body is not None
        seen.update(body.loading.values())
        return body.held_models == ["m0"]

    await eventually(is_held)
    await jobs.result(job)

    assert len({part for part in seen if 0 < part < 1}) >= 3


async def test_what_a_worker_says_of_its_jobs_and_memory(start_worker: StartWorker, jobs: Jobs) -> None:
    worker = start_worker(simulated_answer_tokens=5000).wait_ready()
    sent = [await jobs.send(model="m0", max_tokens=4000) for _ in range(2)]

    async def are_counted() -> bool:
        body = await said_by(jobs, worker)
        return body is not None and body.running == {"m0": 2} and body.budget_bytes > body.free_bytes

    await eventually(are_counted)
    for job in sent:
        await jobs.ledger.cancel(job.id, job.tenant_id)


async def test_a_model_too_large_for_every_worker_fails_its_jobs_at_once(start_worker: StartWorker, jobs: Jobs) -> None:
    start_worker(model_budget_bytes=1000).wait_ready()
    start_worker(model_budget_bytes=2000).wait_ready()

    for _ in range(2):
        _, final = await jobs.result(await jobs.send(model="m0"), timeout_s=15)

        assert final.error is not None
        assert final.error["code"] == "insufficient_memory"


async def test_a_worker_with_more_room_takes_the_model_that_others_cannot(
    start_worker: StartWorker, jobs: Jobs
) -> None:
    start_worker(model_budget_bytes=1000).wait_ready()
    large = start_worker(room=1).wait_ready()

    _, final = await jobs.result(await jobs.send(model="m0", max_tokens=5))

    assert final.finish_reason == "length"
    await holds(jobs, large, "m0")


async def test_a_model_that_is_added_is_served_without_a_restart(
    start_worker: StartWorker, jobs: Jobs, models_dir: Path
) -> None:
    start_worker().wait_ready()

    with (models_dir / "models.toml").open("a") as catalogue:
        catalogue.write(entry("late"))
    _, final = await jobs.result(await jobs.send(model="late", max_tokens=5))

    assert final.finish_reason == "length"


async def test_a_model_that_is_removed_is_dropped_and_its_jobs_fail_at_once(
    start_worker: StartWorker, jobs: Jobs, models_dir: Path
) -> None:
    worker = start_worker().wait_ready()
    for model in ("m0", "m1"):
        await jobs.result(await jobs.send(model=model, max_tokens=5))
    await holds(jobs, worker, "m0", "m1")

    (models_dir / "models.toml").write_text(entry("m1"))
    await holds(jobs, worker, "m1")
    _, final = await jobs.result(await jobs.send(model="m0"), timeout_s=15)

    assert final.error is not None
    assert final.error["code"] == "model_not_found"
    assert (await jobs.result(await jobs.send(model="m1", max_tokens=5)))[1].finish_reason == "length"


async def test_a_model_that_is_removed_and_put_back_while_it_is_in_use_is_served_on(
    start_worker: StartWorker, jobs: Jobs, models_dir: Path
) -> None:
    worker = start_worker(simulated_answer_tokens=4000).wait_ready()
    long = await jobs.send(model="m0", max_tokens=4000)
    await holds(jobs, worker, "m0")

    (models_dir / "models.toml").write_text(entry("m1"))
    await holds(jobs, worker)
    (models_dir / "models.toml").write_text(entry("m1") + entry("m0"))
    await holds(jobs, worker, "m0")
    _, final = await jobs.result(await jobs.send(model="m0", max_tokens=5))

    assert final.finish_reason == "length"
    assert (await jobs.ledger.status(long.id, "tenant")).state == "running"
    assert loads([worker]) == 1


async def test_a_model_with_another_file_is_loaded_anew(
    start_worker: StartWorker, jobs: Jobs, models_dir: Path
) -> None:
    worker = start_worker().wait_ready()
    await jobs.result(await jobs.send(model="m0", max_tokens=5))
    running = await jobs.send(model="m0", max_tokens=20)

    (models_dir / "models.toml").write_text(entry("m0", sha256="5" * 64))

    async def is_loaded_anew() -> bool:
        return loads([worker]) == 2

    await eventually(is_loaded_anew)
    _, final = await jobs.result(await jobs.send(model="m0", max_tokens=5))

    assert (await jobs.result(running))[1].finish_reason == "length"
    assert final.finish_reason == "length"
    assert loads([worker]) == 2


async def test_a_model_that_hangs_takes_no_more_hints(start_worker: StartWorker, jobs: Jobs) -> None:
    hanging = start_worker(simulated_hang_after_steps=20, stall_s=0.5, simulated_answer_tokens=5000).wait_ready()
    first = await jobs.send(model="m0", max_tokens=100)
    await jobs.wait_for_tokens(first, 15)

    async def is_known_to_hang() -> bool:
        return "the model makes no progress" in hanging.log.read_text()

    await eventually(is_known_to_hang)
    sent = [await jobs.send(model="m0", max_tokens=5) for _ in range(8)]
    start_worker().wait_ready()
    ends = [final for _, final in [await jobs.result(job, timeout_s=40) for job in sent]]

    assert {final.finish_reason for final in ends} == {"length"}
    assert "job_given_back" not in hanging.log.read_text()
