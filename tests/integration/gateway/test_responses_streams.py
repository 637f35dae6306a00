"""Streams of responses: read live, late, from any place and at another gateway they are the same to the byte."""

import threading
import time

import httpx
import openai
import pytest

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import StartGateway
from tests.integration.gateway.response_reader import MODEL, WEATHER, events_of
from tests.integration.gateway.sse_reader import frames

BODY = {"model": MODEL, "input": "Hi", "stream": True}
TEXTS = [
    "Let ",
    "me",
    " see",
    ".\n",
    "<tool",
    '_call>{"name": "weather",',
    ' "arguments": {"city": ',
    '"Röm"}}',
    "</tool_call>",
]


def without_comments(data: bytes) -> bytes:
    return b"".join(line for line in data.splitlines(keepends=True) if not line.startswith(b":"))


class Reader(threading.Thread):
    """Follows a response's stream and keeps its bytes."""

    def __init__(self, http: httpx.Client, path: str, after: int | None = None):
        super().__init__()
        self._http = http
        self._path = path
        self._params = {"stream": "true"} if after is None else {"stream": "true", "starting_after": str(after)}
        self.data = b""
        self.start()

    def run(self) -> None:
        with self._http.stream("GET", self._path, params=self._params) as response:
            self.data = without_comments(b"".join(response.iter_raw()))


@pytest.mark.parametrize("is_background", [False, True])
def test_live_late_from_any_place_and_at_another_gateway_the_bytes_are_the_same(
    http: httpx.Client, start_gateway: StartGateway, api_key: str, worker: ScriptedWorker, *, is_background: bool
) -> None:
    worker.texts, worker.pause_s = TEXTS, 0.03
    headers = {"Authorization": f"Bearer {api_key}"}
    body = {
        **BODY,
        "tools": [WEATHER],
        "max_output_tokens": 32,
        "background": is_background,
        "metadata": {"b": "2", "a": "1"},
    }

    with (
        httpx.Client(base_url=start_gateway(), headers=headers, timeout=20) as other,
        http.stream("POST", "/v1/responses", json=body) as response,
    ):
        path = f"/v1/responses/resp_{response.headers['x-job-id']}"
        elsewhere = Reader(other, path)
        resumed = Reader(other, path, after=6)
        live = without_comments(b"".join(response.iter_raw()))
        elsewhere.join()
        resumed.join()
        late = Reader(other, path)
        late.join()
        blocks = [block + b"\n\n" for block in live.split(b"\n\n")[:-1]]
        for after in (0, 3, len(blocks) - 2, len(blocks) + 5):
            late_rest = Reader(http, path, after=after)
            late_rest.join()
            assert late_rest.data == b"".join(blocks[after + 1 :])

    assert elsewhere.data == late.data == live
    assert resumed.data == b"".join(blocks[7:])
    assert b"response.completed" in blocks[-1]


def test_openais_client_takes_a_stream_up_where_it_left_it(
    openai_client: openai.OpenAI, worker: ScriptedWorker
) -> None:
    worker.pause_s = 0.03
    seen = []
    with openai_client.responses.create(model=MODEL, input="Hi", stream=True, background=True) as stream:
        for event in stream:
            seen.append(event)
            if event.type == "response.output_text.delta":
                break
    created = seen[0]
    assert created.type == "response.created"

    rest = openai_client.responses.retrieve(created.response.id, stream=True, starting_after=seen[-1].sequence_number)
    seen += list(rest)

    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    assert "".join(event.delta for event in seen if event.type == "response.output_text.delta") == "Hello wörld!"
    assert seen[-1].type == "response.completed"


def test_comments_between_events_are_nothing_to_openais_client(
    start_gateway: StartGateway, api_key: str, worker: ScriptedWorker
) -> None:
    worker.pause_s = 0.3
    gateway = start_gateway(silence_s=0.05, ping_interval_s=0.1)
    with openai.OpenAI(base_url=f"{gateway}/v1", api_key=api_key, max_retries=0) as client:
        said = [event.type for event in client.responses.create(model=MODEL, input="Hi", stream=True)]
        chunks = list(
            client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}], stream=True)
        )

    assert said[-1] == "response.completed"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_caller_who_leaves_a_plain_stream_cancels_the_response(
    http: httpx.Client, openai_client: openai.OpenAI, worker: ScriptedWorker
) -> None:
    worker.gate.clear()
    with http.stream("POST", "/v1/responses", json=BODY) as response:
        created = next(frames(response)).data["response"]

    end = time.monotonic() + 10
    while openai_client.responses.retrieve(created["id"]).status != "cancelled":
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_stream_of_a_cancelled_response_ends_as_incomplete_and_says_cancelled(
    http: httpx.Client, worker: ScriptedWorker
) -> None:
    worker.gate.clear()
    with http.stream("POST", "/v1/responses", json={**BODY, "background": True}) as response:
        path = f"/v1/responses/resp_{response.headers['x-job-id']}"
        cancelled = http.post(f"{path}/cancel").json()
        last = events_of(response)[-1]

    assert (last.event, last.data["response"]["status"]) == ("response.incomplete", "cancelled")
    assert cancelled["status"] == "cancelled"


@pytest.mark.parametrize("is_stored", [True, False])
def test_who_names_the_job_gets_the_responses_events_by_their_numbers(
    http: httpx.Client, worker: ScriptedWorker, *, is_stored: bool
) -> None:
    with http.stream("POST", "/v1/responses", json={**BODY, "store": is_stored}) as response:
        path = f"/v1/jobs/{response.headers['x-job-id']}/stream"
        live = events_of(response)

    with http.stream("GET", path) as response:
        whole = events_of(response)
    with http.stream("GET", path, headers={"Last-Event-ID": "5"}) as response:
        rest = events_of(response)

    assert [(frame.id, frame.event) for frame in whole] == [(frame.id, frame.event) for frame in live]
    assert rest == whole[6:]
    assert whole[-1].data["response"]["output"] == live[-1].data["response"]["output"]
