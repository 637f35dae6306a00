"""Once the server has answered 200, the request survives the death of any one process."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest
import redis

from tests.fault.streams import assert_exact, expected_text, start_streams, stream
from tests.stack import Stack, wait_until

PROMPTS = [f"Stream number {number}" for number in range(8)]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(len(PROMPTS)) as made:
        yield made


@pytest.fixture
def texts(stack: Stack, pool: ThreadPoolExecutor) -> dict[str, str]:
    return dict(zip(PROMPTS, pool.map(lambda prompt: expected_text(stack, prompt), PROMPTS), strict=True))


@pytest.mark.parametrize(
    ("role", "index"),
    [("worker", 0), ("worker", 1), ("gateway", 0), ("redis", 0), ("session_service", 0), ("postgres", 0)],
)
def test_streams_are_exact_though_a_process_is_killed(
    stack: Stack, pool: ThreadPoolExecutor, texts: dict[str, str], role: str, index: int
) -> None:
    streams = start_streams(stack, pool, PROMPTS)

    stack.kill(role, index)

    for prompt, running in zip(PROMPTS, streams, strict=True):
        assert_exact(running.result(timeout=60), texts[prompt])


@pytest.mark.parametrize(("role", "index"), [("worker", 0), ("gateway", 0), ("session_service", 0), ("postgres", 0)])
def test_a_session_gets_exactly_one_assistant_message_though_a_process_is_killed(
    stack: Stack, pool: ThreadPoolExecutor, texts: dict[str, str], role: str, index: int
) -> None:
    with stack.client() as client:
        sessions = [client.post("/v1/sessions", json={}).json()["id"] for _ in PROMPTS]
    streams = [
        pool.submit(stream, stack, prompt, key=session, session_id=session)
        for prompt, session in zip(PROMPTS, sessions, strict=True)
    ]
    wait_until(lambda: _running_jobs(stack) == len(PROMPTS), "all streams run")

    stack.kill(role, index)

    for prompt, running in zip(PROMPTS, streams, strict=True):
        assert_exact(running.result(timeout=60), texts[prompt])
    stack.wait_until_ready()
    for prompt, session in zip(PROMPTS, sessions, strict=True):
        wait_until(partial(_has_reply, stack, session), "the reply is stored")
        messages = _messages(stack, session)
        assert [message["role"] for message in messages] == ["user", "assistant"]
        assert messages[1]["content"] == texts[prompt]


def test_nothing_is_left_in_the_ledger_when_all_jobs_have_ended(stack: Stack, pool: ThreadPoolExecutor) -> None:
    for running in start_streams(stack, pool, PROMPTS):
        running.result(timeout=60)

    with redis.Redis.from_url(stack.redis_url) as client:
        wait_until(lambda: client.zcard("jobs:leases") == 0, "no lease is left")
        wait_until(lambda: client.xlen("turns:final") == 0, "the outbox is empty")
        assert [key for key in client.scan_iter("jobs:queued:*") if client.zcard(key)] == []


def test_a_cut_plain_request_is_cancelled_and_frees_its_slot(stack: Stack) -> None:
    with stack.client() as client, pytest.raises(httpx.ReadTimeout):
        client.post(
            "/v1/chat/completions",
            json={
                "model": stack.model,
                "messages": [{"role": "user", "content": "Nobody waits"}],
                "max_tokens": 400,
                "ignore_eos": True,
            },
            timeout=0.5,
        )

    wait_until(lambda: _running_jobs(stack) == 0, "the slot is free", timeout_s=3)


def _running_jobs(stack: Stack) -> int:
    with redis.Redis.from_url(stack.redis_url) as client:
        return int(client.zcard("jobs:leases"))


def _has_reply(stack: Stack, session_id: str) -> bool:
    return any(message["role"] == "assistant" for message in _messages(stack, session_id))


def _messages(stack: Stack, session_id: str) -> list[dict[str, Any]]:
    for url in stack.gateways:
        try:
            headers = {"Authorization": f"Bearer {stack.api_key}"}
            answer = httpx.get(f"{url}/v1/sessions/{session_id}/messages", headers=headers, timeout=10)
        except httpx.HTTPError:
            continue
        if answer.status_code == 200:
            messages: list[dict[str, Any]] = answer.json()["data"]
            return messages
    return []
