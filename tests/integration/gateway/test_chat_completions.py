from typing import Any

import httpx
import openai
import pytest
import redis

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.sse_reader import finish_of, frames, text_of

URL = "/v1/chat/completions"
HELLO = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}
TEXT = "Hello wörld!"


def stream(http: httpx.Client, **fields: Any) -> tuple[httpx.Response, list[Any]]:
    with http.stream("POST", URL, json={**HELLO, "stream": True, **fields}) as response:
        return response, list(frames(response))


def test_a_plain_answer_is_the_whole_text_with_usage(http: httpx.Client, worker: ScriptedWorker) -> None:
    worker.held_text = "?"

    answer = http.post(URL, json=HELLO)

    assert answer.status_code == 200
    body = answer.json()
    assert body["choices"][0]["message"]["content"] == TEXT + "?"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["total_tokens"] == 12
    assert body["id"] == f"chatcmpl-{answer.headers['x-job-id']}"


def test_a_stream_has_every_token_in_order_with_its_seq_and_then_done(
    http: httpx.Client, worker: ScriptedWorker
) -> None:
    worker.held_text = "?"

    response, read = stream(http)

    assert response.status_code == 200
    assert text_of(read) == TEXT + "?"
    assert [frame.id for frame in read] == [0, 1, 2, 4, 5, 6, 6, None]
    assert read[0].data["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert read[-1].data == "[DONE]"


def test_a_stream_says_that_it_must_not_be_buffered_or_cached(http: httpx.Client, worker: ScriptedWorker) -> None:
    response, _ = stream(http)

    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-job-id"] in worker.jobs
    assert response.headers["x-request-id"]


def test_the_job_carries_what_was_asked(http: httpx.Client, worker: ScriptedWorker) -> None:
    asked = {"temperature": 0, "seed": 7, "stop": "END", "max_tokens": 100_000, "timeout_s": 30, "top_k": 3}

    answer = http.post(URL, json={**HELLO, **asked})

    job = worker.jobs[answer.headers["x-job-id"]]
    assert (job.sampling.temperature, job.sampling.seed, job.sampling.top_k) == (0, 7, 3)
    assert job.stop == ("END",)
    assert job.max_tokens == 512  # more than the context can hold is not reserved
    assert job.timeout_s == 30
    assert job.messages[0].content == "Hello"


def test_a_hint_is_sent_for_every_job(http: httpx.Client, worker: ScriptedWorker, redis_url: str) -> None:
    answer = http.post(URL, json=HELLO)

    with redis.Redis.from_url(redis_url) as client:
        lists = list(client.scan_iter("q:model.drover-tiny*"))  # one for each priority
        hints = [hint for name in lists for hint in client.lrange(name, 0, -1)]
    assert len(hints) == 1
    assert answer.headers["x-job-id"].encode() not in hints[0] or b"Hello" not in hints[0]


def test_a_job_that_fails_is_an_error_with_its_status(http: httpx.Client, worker: ScriptedWorker) -> None:
    worker.finish_reason = "error"
    worker.error = {"message": "Lost.", "type": "server_error", "param": None, "code": "worker_lost"}

    answer = http.post(URL, json=HELLO)

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "worker_lost"


def test_a_job_that_fails_in_a_stream_is_an_error_event_and_no_done(http: httpx.Client, worker: ScriptedWorker) -> None:
    worker.finish_reason = "error"
    worker.error = {"message": "Lost.", "type": "server_error", "param": None, "code": "worker_lost"}

    _, read = stream(http)

    assert text_of(read) == TEXT
    assert read[-1].event == "error"
    assert read[-1].data["error"]["code"] == "worker_lost"


def test_without_any_worker_the_deadline_ends_the_request(start_gateway: Any, api_key: str) -> None:
    headers = {"Authorization": f"Bearer {api_key}"}
    with httpx.Client(base_url=start_gateway(), headers=headers, timeout=20) as http:
        answer = http.post(URL, json={**HELLO, "timeout_s": 0.2})
        response, read = stream(http, timeout_s=0.2)
        jobs = [http.get(f"/v1/jobs/{of.headers['x-job-id']}").json() for of in (answer, response)]

    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "deadline_exceeded"
    assert read[-1].data["error"]["code"] == "deadline_exceeded"
    assert [job["state"] for job in jobs] == ["cancelled", "cancelled"]


@pytest.fixture
def client(gateway: str, api_key: str) -> Any:
    with openai.OpenAI(base_url=f"{gateway}/v1", api_key=api_key, max_retries=0) as made:
        yield made


def test_openais_client_reads_the_plain_answer_and_the_stream(client: openai.OpenAI, worker: ScriptedWorker) -> None:
    plain = client.chat.completions.create(**HELLO)
    chunks = list(client.chat.completions.create(**HELLO, stream=True, stream_options={"include_usage": True}))

    assert plain.choices[0].message.content == TEXT
    assert "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices) == TEXT
    assert chunks[-1].usage == plain.usage
    assert chunks[0].choices[0].delta.role == "assistant"


def test_openais_client_raises_on_an_error_in_the_stream(client: openai.OpenAI, worker: ScriptedWorker) -> None:
    worker.finish_reason = "error"
    worker.error = {"message": "Lost.", "type": "server_error", "param": None, "code": "worker_lost"}

    with pytest.raises(openai.APIError, match="Lost") as raised:
        list(client.chat.completions.create(**HELLO, stream=True))

    assert raised.value.code == "worker_lost"


def test_openais_client_lists_the_models(client: openai.OpenAI) -> None:
    assert "drover-tiny" in {model.id for model in client.models.list()}
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


def test_a_cancelled_job_ends_its_stream_and_says_so(http: httpx.Client, worker: ScriptedWorker) -> None:
    worker.gate.clear()
    with http.stream("POST", URL, json={**HELLO, "stream": True}) as response:
        job_id = response.headers["x-job-id"]
        http.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()
        read = list(frames(response))

    assert finish_of(read) == "length"
    assert read[-2].data["drover"] == {"cancelled": True}
    assert read[-1].data == "[DONE]"
