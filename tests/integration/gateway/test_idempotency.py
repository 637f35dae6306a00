from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import redis

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import Sessions, StartGateway
from tests.integration.gateway.sse_reader import frames, text_of

URL = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}
KEY = {"Idempotency-Key": "the-same"}


def test_the_same_key_and_body_gets_the_same_job_again_from_its_start(
    http: httpx.Client, worker: ScriptedWorker
) -> None:
    body = {**HELLO, "stream": True}

    with http.stream("POST", URL, json=body, headers=KEY) as response:
        first = list(frames(response))
    with http.stream("POST", URL, json=body, headers=KEY) as response:
        again = list(frames(response))

    assert first == again
    assert len(worker.jobs) == 1


def test_many_at_once_with_the_same_key_are_one_job(http: httpx.Client, worker: ScriptedWorker) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: http.post(URL, json=HELLO, headers=KEY), range(50)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["x-job-id"] for answer in answers}) == 1
    assert len(worker.jobs) == 1


def test_many_at_once_with_the_same_key_are_one_turn(http: httpx.Client, worker: ScriptedWorker) -> None:
    session_id = http.post("/v1/sessions", json={}).json()["id"]
    body = {**HELLO, "session_id": session_id}

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: http.post(URL, json=body, headers=KEY), range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(worker.jobs) == 1
    assert len(http.get(f"/v1/sessions/{session_id}/messages").json()["data"]) == 2


def test_the_same_key_with_another_body_is_a_422(http: httpx.Client, worker: ScriptedWorker) -> None:
    http.post(URL, json=HELLO, headers=KEY).raise_for_status()

    answer = http.post(URL, json={**HELLO, "temperature": 0.5}, headers=KEY)

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "idempotency_mismatch"


def test_a_retry_attaches_to_the_stream_that_runs(http: httpx.Client, worker: ScriptedWorker) -> None:
    worker.gate.clear()
    body = {**HELLO, "stream": True}
    with (
        http.stream("POST", URL, json=body, headers=KEY) as first,
        http.stream("POST", URL, json=body, headers=KEY) as second,
    ):
        worker.gate.set()
        read = [list(frames(first)), list(frames(second))]

    assert read[0] == read[1]
    assert text_of(read[1]) == "Hello wörld!"


def test_a_request_that_was_refused_leaves_its_key_unused(
    start_gateway: StartGateway, api_key: str, redis_url: str
) -> None:
    headers = {"Authorization": f"Bearer {api_key}"}
    with httpx.Client(base_url=start_gateway(max_queued_jobs=1), headers=headers, timeout=20) as http:
        with http.stream("POST", URL, json={**HELLO, "stream": True}):
            refused = http.post(URL, json=HELLO, headers=KEY)
        with ScriptedWorker(redis_url).at_work():
            accepted = http.post(URL, json=HELLO, headers=KEY)

    assert refused.status_code == 503
    assert accepted.status_code == 200


def test_a_key_whose_answer_is_gone_is_a_410_and_never_runs_twice(
    http: httpx.Client, worker: ScriptedWorker, redis_url: str
) -> None:
    job_id = http.post(URL, json=HELLO, headers=KEY).headers["x-job-id"]
    with redis.Redis.from_url(redis_url) as client:
        client.delete(f"tok:{job_id}")

    again = http.post(URL, json=HELLO, headers=KEY)

    assert again.status_code == 410
    assert "Idempotency-Key" in again.json()["error"]["message"]
    assert len(worker.jobs) == 1


def test_a_failed_job_is_replayed_as_it_failed(http: httpx.Client, worker: ScriptedWorker) -> None:
    worker.finish_reason = "error"
    worker.error = {"message": "Lost.", "type": "server_error", "param": None, "code": "worker_lost"}

    answers = [http.post(URL, json=HELLO, headers=KEY) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert len(worker.jobs) == 1


def test_a_key_is_one_tenants_own(http: httpx.Client, gateway: str, sessions: Sessions, worker: ScriptedWorker) -> None:
    stranger = {"Authorization": f"Bearer {sessions.key(tenant='stranger')}"}
    mine = http.post(URL, json=HELLO, headers=KEY)

    theirs = httpx.post(gateway + URL, json=HELLO, headers={**KEY, **stranger})

    assert mine.headers["x-job-id"] != theirs.headers["x-job-id"]


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_of_the_wrong_length_is_a_400(http: httpx.Client, key: str) -> None:
    assert http.post(URL, json=HELLO, headers={"Idempotency-Key": key}).status_code == 400


def test_text_is_read_from_a_replayed_stream(http: httpx.Client, worker: ScriptedWorker) -> None:
    http.post(URL, json={**HELLO, "stream": True}, headers=KEY).raise_for_status()

    with http.stream("POST", URL, json={**HELLO, "stream": True}, headers=KEY) as response:
        assert text_of(list(frames(response))) == "Hello wörld!"


def test_a_key_is_one_apis_own(http: httpx.Client, worker: ScriptedWorker) -> None:
    body = {**HELLO, "max_tokens": 9}

    answers = [http.post(url, json=body, headers=KEY).raise_for_status() for url in (URL, "/v1/messages") * 2]

    ids = [answer.headers["x-job-id"] for answer in answers]
    assert ids[0] == ids[2]
    assert ids[1] == ids[3]
    assert len(worker.jobs) == 2


@pytest.mark.parametrize("prompt", ["one", ["one"], ["one", "two", "three"], ["two", "one"]])
def test_a_key_of_several_prompts_is_for_these_alone(http: httpx.Client, worker: ScriptedWorker, prompt: Any) -> None:
    body = {"model": "drover-tiny", "prompt": ["one", "two"]}
    http.post("/v1/completions", json=body, headers=KEY).raise_for_status()

    other = http.post("/v1/completions", json={**body, "prompt": prompt}, headers=KEY)

    assert other.status_code == 422, other.text
    assert http.post("/v1/completions", json=body, headers=KEY).status_code == 200
    assert len(worker.jobs) == 2
