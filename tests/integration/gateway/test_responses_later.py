"""A response that is asked for again, also when the log of its job is gone."""

from uuid import uuid4

import httpx

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.response_reader import MODEL, WEATHER, events_of, forget_log, streamed


def test_the_same_idempotency_key_finds_the_same_response(http: httpx.Client, worker: ScriptedWorker) -> None:
    body, headers = {"model": MODEL, "input": "Hi"}, {"Idempotency-Key": uuid4().hex}

    first, second = (http.post("/v1/responses", json=body, headers=headers) for _ in range(2))
    other = http.post("/v1/responses", json={**body, "input": "Ho"}, headers=headers)

    assert first.json()["id"] == second.json()["id"]
    assert first.json() == second.json()
    assert "x-session-id" not in {**first.headers, **second.headers}
    assert other.status_code == 422


def test_a_finished_response_answers_its_key_again_when_its_log_is_gone(
    http: httpx.Client, worker: ScriptedWorker, redis_url: str
) -> None:
    body, headers = {"model": MODEL, "input": "Hi"}, {"Idempotency-Key": uuid4().hex}
    first = http.post("/v1/responses", json=body, headers=headers)
    forget_log(redis_url, first.json()["id"])

    again = http.post("/v1/responses", json=body, headers=headers)
    streaming = http.post("/v1/responses", json={**body, "stream": True}, headers=headers)

    assert again.status_code == 200, again.text
    assert again.json()["output"] == first.json()["output"]
    assert streaming.status_code == 422


def test_a_stream_whose_log_is_gone_is_told_again_from_what_is_stored(
    http: httpx.Client, worker: ScriptedWorker, redis_url: str
) -> None:
    worker.texts = ['Let me see.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>']
    live = streamed(http, tools=[WEATHER], max_output_tokens=16)
    path = f"/v1/responses/{live[0].data['response']['id']}"
    forget_log(redis_url, live[0].data["response"]["id"])

    with http.stream("GET", path, params={"stream": True}) as response:
        again = events_of(response)
    gone = http.get(path, params={"stream": True, "starting_after": 3})

    assert [frame.event for frame in again] == [frame.event for frame in live]
    assert again[-1].data["response"]["output"] == live[-1].data["response"]["output"]
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "job_expired")
