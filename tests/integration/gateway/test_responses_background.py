"""Background responses are jobs: they go on without their caller, and without the gateway that took them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import ROOT, is_ready
from tests.integration.gateway.response_reader import MODEL, TEXT, events_of
from tests.integration.gateway.waiting import until
from tests.servers import free_port


def ended(client: openai.OpenAI, response_id: str) -> Response:
    """The response when it has ended."""
    end = time.monotonic() + 10
    while (read := client.responses.retrieve(response_id)).status in ("queued", "in_progress"):
        assert time.monotonic() < end, read.status
        time.sleep(0.02)
    return read


def test_it_is_queued_then_in_progress_then_completed(openai_client: openai.OpenAI, redis_url: str) -> None:
    made = openai_client.responses.create(model=MODEL, input="Hi", background=True)
    waiting = openai_client.responses.retrieve(made.id)
    worker = ScriptedWorker(redis_url)
    worker.gate.clear()
    with worker.at_work():
        until(lambda: openai_client.responses.retrieve(made.id).status == "in_progress")
        worker.gate.set()
        done = ended(openai_client, made.id)

    assert (made.status, made.background, made.output) == ("queued", True, [])
    assert waiting.status == "queued"
    assert (done.status, done.output_text) == ("completed", TEXT)


def test_nobody_has_to_read_it(start_gateway: Any, api_key: str, redis_url: str) -> None:
    with openai.OpenAI(base_url=f"{start_gateway()}/v1", api_key=api_key, max_retries=0) as client:
        made = client.responses.create(model=MODEL, input="Hi", background=True)
        with ScriptedWorker(redis_url).at_work() as worker:
            until(lambda: made.id.removeprefix("resp_") in worker.jobs)
            job = worker.jobs[made.id.removeprefix("resp_")]

        assert (job.resume_grace_s, job.on_disconnect) == (None, "detach")


def test_a_cancelled_one_says_so_at_once_and_stays_so(openai_client: openai.OpenAI, worker: ScriptedWorker) -> None:
    worker.gate.clear()
    made = openai_client.responses.create(model=MODEL, input="Hi", background=True)

    cancelled = openai_client.responses.cancel(made.id)
    again = openai_client.responses.cancel(made.id)

    assert cancelled.status == again.status == "cancelled"
    assert openai_client.responses.retrieve(made.id).status == "cancelled"


def test_what_waits_in_the_queue_is_cancelled_too(openai_client: openai.OpenAI) -> None:
    made = openai_client.responses.create(model=MODEL, input="Hi", background=True)

    assert openai_client.responses.cancel(made.id).status == "cancelled"


def test_a_completed_one_is_not_changed_by_a_cancel(openai_client: openai.OpenAI, worker: ScriptedWorker) -> None:
    made = openai_client.responses.create(model=MODEL, input="Hi", background=True)
    done = ended(openai_client, made.id)

    assert openai_client.responses.cancel(made.id) == done


def test_one_that_somebody_waits_for_cannot_be_cancelled_by_its_id(
    openai_client: openai.OpenAI, worker: ScriptedWorker
) -> None:
    made = openai_client.responses.create(model=MODEL, input="Hi")

    with pytest.raises(openai.BadRequestError, match="background"):
        openai_client.responses.cancel(made.id)


def test_a_deleted_one_is_cancelled(openai_client: openai.OpenAI, worker: ScriptedWorker) -> None:
    worker.gate.clear()
    made = openai_client.responses.create(model=MODEL, input="Hi", background=True)
    job_id = made.id.removeprefix("resp_")
    until(lambda: job_id in worker.jobs)

    openai_client.responses.delete(made.id)

    until(lambda: worker.ended.get(job_id) == "cancelled")


def test_it_goes_on_when_its_gateway_is_killed(
    openai_client: openai.OpenAI,
    http: httpx.Client,
    gateway_settings: dict[str, Any],
    api_key: str,
    worker: ScriptedWorker,
) -> None:
    worker.gate.clear()
    with gateway_process(gateway_settings) as (process, url), httpx.Client(base_url=url, timeout=20) as client:
        body = {"model": MODEL, "input": "Hi", "background": True, "stream": True}
        headers = {"Authorization": f"Bearer {api_key}"}
        with client.stream("POST", "/v1/responses", json=body, headers=headers) as response:
            job_id = response.headers["x-job-id"]
            until(lambda: job_id in worker.jobs)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
    worker.gate.set()

    done = ended(openai_client, f"resp_{job_id}")
    with http.stream("GET", f"/v1/responses/resp_{job_id}", params={"stream": True}) as response:
        events = events_of(response)

    assert (done.status, done.output_text) == ("completed", TEXT)
    assert [event.id for event in events] == list(range(len(events)))
    assert events[-1].event == "response.completed"


@contextmanager
def gateway_process(settings: dict[str, Any]) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """A gateway that can be killed."""
    port = free_port()
    environment = {
        **os.environ,
        "REDIS_URL": settings["redis_url"],
        "DROVER_INTERNAL_TOKEN": settings["internal_token"].get_secret_value(),
        "DROVER_MODELS_DIR": str(Path(settings["models_dir"])),
        "GATEWAY_SESSION_SERVICE_URL": settings["session_service_url"],
        "GATEWAY_PORT": str(port),
    }
    command = [sys.executable, "-m", "gateway.main"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: process.poll() is not None or is_ready(url), timeout_s=60)
        yield process, url
    finally:
        process.kill()
        process.wait(30)
