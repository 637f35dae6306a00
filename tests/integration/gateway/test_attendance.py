"""Of gateway/attendance.py: a job lives as long as somebody reads it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import redis

from shared.ledger import Ledger
from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import StartGateway
from tests.integration.gateway.sse_reader import finish_of, frames, text_of
from tests.integration.gateway.waiting import until

URL = "/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
TEXT = "Hello wörld!"


@pytest.fixture
def ledger(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def other(start_gateway: StartGateway, api_key: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {api_key}"}
    with httpx.Client(base_url=start_gateway(), headers=headers, timeout=20) as client:
        yield client


@contextmanager
def started(http: httpx.Client, **headers: str) -> Iterator[httpx.Response]:
    with http.stream("POST", URL, json=HELLO, headers=headers) as response:
        assert response.status_code == 200
        yield response


@contextmanager
def resumed(http: httpx.Client, job_id: str) -> Iterator[httpx.Response]:
    with http.stream("GET", f"/v1/jobs/{job_id}/stream") as response:
        assert response.status_code == 200
        yield response


def due_ms(ledger: redis.Redis, job_id: str) -> float:
    return float(ledger.zscore("jobs:attended", job_id) or 0)


def reaped(ledger: redis.Redis, redis_url: str, job_id: str) -> str:
    """Let the job's grace be over and the reaper come; the job's state then."""
    ledger.zadd("jobs:attended", {job_id: 1})
    with redis.Redis.from_url(redis_url) as client:
        Ledger(client).reap(worker_id="reaper", lock_ms=1000)
    return str(ledger.hget(f"job:{job_id}", "state"))


def test_a_job_that_is_read_is_attended_to_again_and_again(http: httpx.Client, ledger: redis.Redis) -> None:
    with started(http) as response:
        job_id = response.headers["x-job-id"]
        accepted = due_ms(ledger, job_id)
        until(lambda: due_ms(ledger, job_id) > accepted)
        once = due_ms(ledger, job_id)
        until(lambda: due_ms(ledger, job_id) > once)


def test_readers_who_return_all_the_time_do_not_put_off_the_others(http: httpx.Client, ledger: redis.Redis) -> None:
    with started(http) as response, started(http) as other_response:
        job_id, other_id = response.headers["x-job-id"], other_response.headers["x-job-id"]
        accepted = due_ms(ledger, job_id)

        def is_attended_to() -> bool:
            with resumed(http, other_id):
                return due_ms(ledger, job_id) > accepted

        until(is_attended_to)


def test_a_plain_request_is_attended_to_as_well(http: httpx.Client, ledger: redis.Redis, gateway: str) -> None:
    with httpx.Client(base_url=gateway, headers=http.headers, timeout=20) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post(URL, json={**HELLO, "stream": False}, headers={"Idempotency-Key": "x"}, timeout=3)
        (job_id,) = (name.removeprefix("job:") for name in ledger.scan_iter("job:*"))
    accepted = int(ledger.hget(f"job:{job_id}", "accepted_ms") or 0)

    assert due_ms(ledger, job_id) > accepted + 30_000


def test_a_job_that_nobody_reads_any_more_is_left_to_the_reaper(
    http: httpx.Client, ledger: redis.Redis, redis_url: str
) -> None:
    with started(http, **{"Idempotency-Key": "k"}) as response:
        job_id = response.headers["x-job-id"]
    until(lambda: ledger.pubsub_numsub(f"c:{job_id}")[0][1] == 0)

    until(lambda: reaped(ledger, redis_url, job_id) == "cancelled")


def test_who_comes_back_is_attended_to_at_once(http: httpx.Client, other: httpx.Client, ledger: redis.Redis) -> None:
    with started(http, **{"Idempotency-Key": "k"}) as response:
        job_id = response.headers["x-job-id"]
    ledger.zadd("jobs:attended", {job_id: 1})

    with resumed(other, job_id):
        until(lambda: due_ms(ledger, job_id) > 1, timeout_s=1.5)


@pytest.mark.parametrize("is_elsewhere", [True, False])
def test_a_second_reader_keeps_the_job_when_the_one_that_started_it_leaves(
    http: httpx.Client, other: httpx.Client, ledger: redis.Redis, worker: ScriptedWorker, is_elsewhere: bool
) -> None:
    worker.gate.clear()
    with started(http) as first:
        job_id = first.headers["x-job-id"]
        with resumed(other if is_elsewhere else http, job_id) as second:
            if is_elsewhere:
                until(lambda: ledger.pubsub_numsub(f"c:{job_id}")[0][1] == 2)
            first.close()
            if is_elsewhere:
                until(lambda: ledger.pubsub_numsub(f"c:{job_id}")[0][1] == 1)
            worker.gate.set()
            read = list(frames(second))

    assert text_of(read) == TEXT
    assert finish_of(read) == "stop"


def test_a_second_reader_that_leaves_takes_nothing_with_it(http: httpx.Client, worker: ScriptedWorker) -> None:
    worker.gate.clear()
    with started(http) as first:
        with resumed(http, first.headers["x-job-id"]):
            pass
        worker.gate.set()
        read = list(frames(first))

    assert text_of(read) == TEXT
