"""Two workers: one dies or freezes, the other goes on, and no token is lost or doubled."""

import asyncio
import signal

from tests.integration.worker_jobs.conftest import StartWorker
from tests.integration.worker_jobs.workers import Jobs, WorkerProcess, expected_tokens


def start_two(start_worker: StartWorker) -> list[WorkerProcess]:
    workers = [start_worker(), start_worker()]
    return [worker.wait_ready() for worker in workers]


async def test_the_second_continues_where_a_killed_one_stopped(start_worker: StartWorker, jobs: Jobs) -> None:
    workers = start_two(start_worker)
    job = await jobs.send(max_tokens=200)
    await jobs.wait_for_tokens(job, 20)

    (await jobs.holder(job, workers)).kill()
    ids, final = await jobs.result(job)

    assert ids == expected_tokens(job)
    assert final.finish_reason == "length"
    assert final.epoch > 1
    assert final.usage.completion_tokens == 200


async def test_one_that_freezes_is_fenced_when_it_wakes(start_worker: StartWorker, jobs: Jobs) -> None:
    workers = start_two(start_worker)
    job = await jobs.send(max_tokens=250)
    await jobs.wait_for_tokens(job, 20)

    frozen = await jobs.holder(job, workers)
    frozen.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(1.5)
    frozen.process.send_signal(signal.SIGCONT)
    ids, final = await jobs.result(job)

    assert ids == expected_tokens(job)
    assert final.epoch > 1
    assert frozen.is_running


async def test_a_reply_is_not_continued_with_another_model_file(start_worker: StartWorker, jobs: Jobs) -> None:
    workers = start_two(start_worker)
    job = await jobs.send(max_tokens=4000, model_digest="of another file")
    await jobs.wait_for_tokens(job, 5)

    (await jobs.holder(job, workers)).kill()
    _, final = await jobs.result(job)

    assert final.error is not None
    assert final.error["code"] == "worker_lost"
    assert final.text == ""
