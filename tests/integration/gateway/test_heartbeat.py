"""Of gateway/heartbeat.py: what a stream says while nothing flows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import redis

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import StartGateway
from tests.integration.gateway.sse_reader import frames_and_comments, text_of

URL = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def patient(start_gateway: StartGateway, api_key: str) -> Iterator[httpx.Client]:
    """A gateway that says something after every short silence, but the same only after a long time."""
    gateway = start_gateway(silence_s=0.05, ping_interval_s=60)
    with httpx.Client(base_url=gateway, headers={"Authorization": f"Bearer {api_key}"}, timeout=20) as client:
        yield client


@contextmanager
def streaming(http: httpx.Client) -> Iterator[httpx.Response]:
    with http.stream("POST", URL, json={**HELLO, "stream": True}) as response:
        yield response


def test_a_place_in_the_queue_is_told_when_it_changes(patient: httpx.Client) -> None:
    with streaming(patient) as first, streaming(patient) as second:
        comments = frames_and_comments(second)
        before = next(comments).data
        patient.post(f"/v1/jobs/{first.headers['x-job-id']}/cancel").raise_for_status()
        after = next(comments).data

    assert (before, after) == ("queue position 2", "queue position 1")


def test_the_same_is_said_again_only_after_the_ping_interval(start_gateway: StartGateway, api_key: str) -> None:
    gateway = start_gateway(silence_s=0.05, ping_interval_s=0.1)
    with (
        httpx.Client(base_url=gateway, headers={"Authorization": f"Bearer {api_key}"}, timeout=20) as http,
        streaming(http) as response,
    ):
        comments = frames_and_comments(response)
        assert [next(comments).data for _ in range(3)] == ["queue position 1"] * 3


def test_a_model_that_is_being_loaded_is_told(patient: httpx.Client, redis_url: str) -> None:
    worker = ScriptedWorker(redis_url, loading={"drover-tiny": 0.42})
    worker.gate.clear()
    with worker.at_work(), streaming(patient) as response:
        arriving = frames_and_comments(response)
        while next(arriving).data != "loading drover-tiny 42 %":
            pass
        worker.gate.set()


def test_a_job_that_runs_in_silence_is_pinged(
    start_gateway: StartGateway, api_key: str, worker: ScriptedWorker
) -> None:
    worker.gate.clear()
    gateway = start_gateway(silence_s=0.05, ping_interval_s=0.1)
    with (
        httpx.Client(base_url=gateway, headers={"Authorization": f"Bearer {api_key}"}, timeout=20) as http,
        streaming(http) as response,
    ):
        arriving = frames_and_comments(response)
        while next(arriving).data != "ping":
            pass
        worker.gate.set()
        rest = [frame for frame in arriving if frame.event != "comment"]

    assert text_of(rest) == "Hello wörld!"


def test_a_plain_answer_has_no_comments(patient: httpx.Client, worker: ScriptedWorker) -> None:
    worker.pause_s = 0.1

    answer = patient.post(URL, json=HELLO)

    assert answer.content.startswith(b"{")


def test_a_job_that_vanished_from_the_ledger_ends_its_stream_with_an_error(
    patient: httpx.Client, redis_url: str
) -> None:
    with streaming(patient) as response:
        arriving = frames_and_comments(response)
        next(arriving)
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        rest = list(arriving)

    assert rest[-1].data["error"]["code"] == "job_not_found"
