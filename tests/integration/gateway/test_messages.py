"""/v1/messages: Anthropic's API."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.sse_reader import frames

URL = "/v1/messages"
HELLO = {"model": "drover-tiny", "max_tokens": 20, "messages": [{"role": "user", "content": "Hello"}]}
TEXT = "Hello wörld!"


@pytest.fixture
def anthropic(gateway: str, api_key: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway, headers={"x-api-key": api_key}, timeout=20) as client:
        yield client


def test_a_message_is_answered_with_blocks(anthropic: httpx.Client, worker: ScriptedWorker) -> None:
    answer = anthropic.post(URL, json=HELLO).json()

    assert answer["content"] == [{"type": "text", "text": TEXT}]
    assert (answer["type"], answer["stop_reason"]) == ("message", "end_turn")


def test_a_stream_says_the_same_and_how_long_the_prompt_is(anthropic: httpx.Client, worker: ScriptedWorker) -> None:
    count = anthropic.post(f"{URL}/count_tokens", json=HELLO).json()["input_tokens"]

    with anthropic.stream("POST", URL, json={**HELLO, "stream": True}) as response:
        read = list(frames(response))

    assert [frame.event for frame in read] == [frame.data["type"] for frame in read]
    assert read[0].data["message"]["usage"]["input_tokens"] == count > 0
    assert "".join(frame.data["delta"]["text"] for frame in read if frame.event == "content_block_delta") == TEXT
    assert read[-1].event == "message_stop"


@pytest.mark.parametrize("after", [0, 2, 5])
def test_a_message_stream_goes_on_in_its_own_form(
    anthropic: httpx.Client, http: httpx.Client, worker: ScriptedWorker, after: int
) -> None:
    job_id = anthropic.post(URL, json=HELLO).headers["x-job-id"]

    with http.stream("GET", f"/v1/jobs/{job_id}/stream", headers={"Last-Event-ID": str(after)}) as response:
        read = list(frames(response))

    told = "".join(frame.data["delta"]["text"] for frame in read if frame.event == "content_block_delta")
    assert told == "".join(worker.texts[after:])
    assert read[-1].event == "message_stop"


@pytest.mark.parametrize(
    ("fields", "status", "kind"),
    [
        ({"max_tokens": 0}, 400, "invalid_request_error"),
        ({"messages": []}, 400, "invalid_request_error"),
        ({"model": "none"}, 404, "not_found_error"),
        ({"max_tokens": None}, 400, "invalid_request_error"),
    ],
)
def test_a_refusal_is_in_anthropics_shape(
    anthropic: httpx.Client, fields: dict[str, Any], status: int, kind: str
) -> None:
    answer = anthropic.post(URL, json={**HELLO, **fields})

    assert answer.status_code == status
    assert (answer.json()["type"], answer.json()["error"]["type"]) == ("error", kind)


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "drv_wrong_key"}])
def test_who_has_no_key_is_told_so_in_their_shape(gateway: str, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{gateway}{URL}", json=HELLO, headers=headers)

    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")


def test_a_job_that_fails_ends_the_stream_in_their_shape(anthropic: httpx.Client, worker: ScriptedWorker) -> None:
    worker.finish_reason = "error"
    worker.error = {"message": "Lost.", "type": "server_error", "param": None, "code": "worker_lost"}

    with anthropic.stream("POST", URL, json={**HELLO, "stream": True}) as response:
        last = list(frames(response))[-1]

    assert (last.event, last.data["error"]["type"]) == ("error", "overloaded_error")
