import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import Sessions, StartGateway
from tests.integration.gateway.sse_reader import finish_of, frames, text_of

URL = "/v1/chat/completions"
HELLO = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}
TEXT = "Hello wörld!"


@pytest.fixture
def finished_job(http: httpx.Client, worker: ScriptedWorker) -> str:
    worker.held_text = "?"
    return str(http.post(URL, json=HELLO).raise_for_status().headers["x-job-id"])


@pytest.fixture
def other(start_gateway: StartGateway, api_key: str) -> Iterator[httpx.Client]:
    """A second gateway that has never heard of the job."""
    headers = {"Authorization": f"Bearer {api_key}"}
    with httpx.Client(base_url=start_gateway(), headers=headers, timeout=20) as client:
        yield client


def resumed(http: httpx.Client, job_id: str, **how: Any) -> list[Any]:
    with http.stream("GET", f"/v1/jobs/{job_id}/stream", **how) as response:
        assert response.status_code == 200, response.read()
        return list(frames(response))


def test_a_job_tells_how_it_stands(http: httpx.Client, finished_job: str) -> None:
    job = http.get(f"/v1/jobs/{finished_job}").json()

    assert (job["state"], job["finish_reason"], job["tokens"]) == ("done", "stop", 5)
    assert job["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def test_another_gateway_replays_a_job_from_the_start(other: httpx.Client, finished_job: str) -> None:
    read = resumed(other, finished_job)

    assert text_of(read) == TEXT + "?"
    assert read[-1].data == "[DONE]"


@pytest.mark.parametrize(
    ("after", "rest"), [(0, "Hello wörld!?"), (1, "lo wörld!?"), (3, " wörld!?"), (5, "?"), (6, "")]
)
def test_a_resumed_stream_goes_on_after_the_last_event_that_was_seen(
    http: httpx.Client, finished_job: str, after: int, rest: str
) -> None:
    by_header = resumed(http, finished_job, headers={"Last-Event-ID": str(after)})
    by_query = resumed(http, finished_job, params={"starting_after": after})

    assert text_of(by_header) == text_of(by_query) == rest
    assert finish_of(by_header) == finish_of(by_query) == "stop"


def test_a_stream_cut_in_the_middle_goes_on_live_on_another_gateway(
    http: httpx.Client, other: httpx.Client, worker: ScriptedWorker
) -> None:
    worker.pause_s = 0.05
    key = {"Idempotency-Key": "may-come-back"}
    with http.stream("POST", URL, json={**HELLO, "stream": True}, headers=key) as response:
        job_id = response.headers["x-job-id"]
        arriving = frames(response)
        first = [next(arriving) for _ in range(3)]

    rest = resumed(other, job_id, headers={"Last-Event-ID": str(first[-1].id)})

    assert text_of(first) + text_of(rest) == TEXT
    assert finish_of(rest) == "stop"


def test_two_callers_may_follow_one_job(http: httpx.Client, worker: ScriptedWorker) -> None:
    worker.gate.clear()
    seen: list[Any] = []
    with http.stream("POST", URL, json={**HELLO, "stream": True}) as response:
        job_id = response.headers["x-job-id"]
        second = threading.Thread(target=lambda: seen.extend(resumed(http, job_id)))
        second.start()
        worker.gate.set()
        read = list(frames(response))
    second.join()

    assert text_of(read) == text_of(seen) == TEXT


def test_usage_is_told_to_a_resumed_stream_on_demand(http: httpx.Client, finished_job: str) -> None:
    read = resumed(http, finished_job, params={"include_usage": True})

    assert read[-2].data["usage"]["total_tokens"] == 12


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/stream"), ("POST", "/cancel")])
def test_a_foreign_job_is_a_404_identical_to_a_missing_one(
    gateway: str, sessions: Sessions, finished_job: str, method: str, path: str
) -> None:
    stranger = {"Authorization": f"Bearer {sessions.key(tenant='stranger')}"}

    foreign = httpx.request(method, f"{gateway}/v1/jobs/{finished_job}{path}", headers=stranger)
    missing = httpx.request(method, f"{gateway}/v1/jobs/nothing{path}", headers=stranger)

    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content
    assert foreign.json()["error"]["code"] == "job_not_found"


def test_a_job_whose_log_is_gone_is_a_410(http: httpx.Client, finished_job: str, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.delete(f"tok:{finished_job}")

    answer = http.get(f"/v1/jobs/{finished_job}/stream")

    assert answer.status_code == 410
    assert answer.json()["error"]["code"] == "job_expired"


@pytest.mark.parametrize("value", ["x", "-1", "1.5", str(2**53 + 1), "9" * 400, "0x1", "\u0663".encode()])
def test_a_malformed_id_is_a_400_that_names_it(http: httpx.Client, finished_job: str, value: Any) -> None:
    path = f"/v1/jobs/{finished_job}/stream"

    by_header = http.get(path, headers={"Last-Event-ID": value})
    by_query = http.get(path, params={"starting_after": value})

    assert by_header.status_code == by_query.status_code == 400
    assert by_header.json()["error"]["param"].lower() == "last-event-id"
    assert by_query.json()["error"]["param"] == "starting_after"


def test_an_id_beyond_the_end_gets_the_end(http: httpx.Client, finished_job: str) -> None:
    read = resumed(http, finished_job, headers={"Last-Event-ID": "1000"})

    assert text_of(read) == ""
    assert finish_of(read) == "stop"
    assert read[-1].data == "[DONE]"


def test_the_header_wins_over_the_parameter(http: httpx.Client, finished_job: str) -> None:
    read = resumed(http, finished_job, headers={"Last-Event-ID": "3"}, params={"starting_after": 1})

    assert text_of(read) == " wörld!?"


def test_a_caller_ahead_of_a_log_that_lost_its_end_still_gets_the_end(http: httpx.Client, redis_url: str) -> None:
    """Redis may come back without its last second; the answer may then be shorter than what the caller has."""
    worker = ScriptedWorker(redis_url)
    worker.gate.clear()
    with worker.at_work(), http.stream("POST", URL, json={**HELLO, "stream": True}) as response:
        job_id = response.headers["x-job-id"]
        with http.stream("GET", f"/v1/jobs/{job_id}/stream", headers={"Last-Event-ID": "9"}) as ahead:
            worker.gate.set()
            read = list(frames(ahead))

    assert text_of(read) == ""
    assert finish_of(read) == "stop"


def test_a_job_that_waits_can_be_resumed_on_another_gateway(
    http: httpx.Client, other: httpx.Client, redis_url: str
) -> None:
    key = {"Idempotency-Key": "waits"}
    with http.stream("POST", URL, json={**HELLO, "stream": True}, headers=key) as response:
        job_id = response.headers["x-job-id"]
    with other.stream("GET", f"/v1/jobs/{job_id}/stream") as response, ScriptedWorker(redis_url).at_work():
        read = list(frames(response))

    assert text_of(read) == TEXT


def test_another_key_of_the_tenant_may_cancel_on_another_gateway(
    http: httpx.Client, other: httpx.Client, sessions: Sessions, worker: ScriptedWorker
) -> None:
    worker.gate.clear()
    sibling = {"Authorization": f"Bearer {sessions.key()}"}
    with http.stream("POST", URL, json={**HELLO, "stream": True}) as response:
        job_id = response.headers["x-job-id"]
        first = other.post(f"/v1/jobs/{job_id}/cancel", headers=sibling).json()
        read = list(frames(response))
    again = other.post(f"/v1/jobs/{job_id}/cancel", headers=sibling).json()

    assert first["is_cancel_wanted"]
    assert finish_of(read) == "length"
    assert (again["state"], again["finish_reason"]) == ("cancelled", "cancelled")


def test_cancelling_after_the_end_changes_nothing(http: httpx.Client, finished_job: str) -> None:
    answer = http.post(f"/v1/jobs/{finished_job}/cancel")

    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["finish_reason"]) == ("done", "stop")


def test_a_key_that_may_only_read_cannot_cancel(gateway: str, sessions: Sessions, finished_job: str) -> None:
    reader = {"Authorization": f"Bearer {sessions.key(role='read-only')}"}

    assert httpx.post(f"{gateway}/v1/jobs/{finished_job}/cancel", headers=reader).status_code == 403
    assert httpx.get(f"{gateway}/v1/jobs/{finished_job}", headers=reader).status_code == 200


def test_cancelling_a_job_that_waits_ends_it_at_once_and_again_changes_nothing(http: httpx.Client) -> None:
    with http.stream("POST", URL, json={**HELLO, "stream": True}) as response:
        job_id = response.headers["x-job-id"]
        first = http.post(f"/v1/jobs/{job_id}/cancel").json()
        again = http.post(f"/v1/jobs/{job_id}/cancel").json()
        read = list(frames(response))

    assert first["state"] == again["state"] == "cancelled"
    assert finish_of(read) == "length"
    assert text_of(read) == ""


def test_the_job_of_a_response_tells_no_session(http: httpx.Client, worker: ScriptedWorker) -> None:
    answer = http.post("/v1/responses", json={"model": "drover-tiny", "input": "Hello"}).raise_for_status()

    job = http.get(f"/v1/jobs/{answer.headers['x-job-id']}").json()
    cancelled = http.post(f"/v1/jobs/{answer.headers['x-job-id']}/cancel").json()

    assert (job["session_id"], cancelled["session_id"]) == (None, None)
    assert "x-session-id" not in answer.headers
