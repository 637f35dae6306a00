"""Clients under fault: streams are read, resumed where they were cut, and compared with what they should be."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.stack import Stack

TOKENS = 150


@dataclass
class Received:
    """What one client got. `ids` are the SSE ids of chunks with text: the number of the last token in each."""

    job_id: str = ""
    last_id: int = 0
    ids: list[int] = field(default_factory=list)
    text: str = ""
    finish_reason: str | None = None
    error: dict[str, Any] | None = None
    is_complete: bool = False
    cuts: int = 0


def request_of(prompt: str, model: str, **fields: Any) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "stream": True,
        **fields,
    }


def stream(stack: Stack, prompt: str, *, key: str, **fields: Any) -> Received:
    """One streamed request, begun on the first gateway and resumed on the others until it ends."""
    received = Received()
    headers = {"Idempotency-Key": key}
    gateway = 0
    end = time.monotonic() + 60
    while not (received.is_complete or received.error) and time.monotonic() < end:
        with stack.client(gateway % len(stack.gateways)) as client:
            try:
                if received.job_id:
                    resume = {"Last-Event-ID": str(received.last_id)}
                    opened = client.stream("GET", f"/v1/jobs/{received.job_id}/stream", headers=resume)
                else:
                    body = request_of(prompt, stack.model, **fields)
                    opened = client.stream("POST", "/v1/chat/completions", json=body, headers=headers)
                with opened as response:
                    _read(response, received)
            except (httpx.HTTPError, json.JSONDecodeError):
                pass
        if not received.is_complete:
            received.cuts += 1
            gateway += 1
            time.sleep(0.1)
    return received


def _read(response: httpx.Response, received: Received) -> None:
    if response.status_code in (409, 429, 502, 503):  # not accepted now, or not to be had now: ask again
        return
    assert response.status_code == 200, response.read()
    received.job_id = response.headers["x-job-id"]
    for seq, data in _events(response):
        if data == "[DONE]":
            received.is_complete = True
            return
        chunk = json.loads(data)
        if "error" in chunk:
            received.error = chunk["error"]
            return
        received.last_id = seq if seq is not None else received.last_id
        for choice in chunk["choices"]:
            received.finish_reason = choice["finish_reason"] or received.finish_reason
            if text := choice["delta"].get("content"):
                received.text += text
                received.ids.append(received.last_id)


def _events(response: httpx.Response) -> Iterator[tuple[int | None, str]]:
    seq: int | None = None
    for line in response.iter_lines():
        if line.startswith("id:"):
            seq = int(line[3:])
        elif line.startswith("data:"):
            yield seq, line[5:].strip()
            seq = None


def start_streams(stack: Stack, pool: ThreadPoolExecutor, prompts: list[str], **fields: Any) -> list[Future[Received]]:
    """One stream for each prompt; returns when they are on their way."""
    started = [pool.submit(stream, stack, prompt, key=f"{prompt}-{time.time_ns()}", **fields) for prompt in prompts]
    time.sleep(0.6)
    return started


def expected_text(stack: Stack, prompt: str) -> str:
    """The text of an undisturbed run: the simulated engine's text depends on nothing but the prompt."""
    with stack.client() as client:
        body = {**request_of(prompt, stack.model), "stream": False}
        answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


def assert_exact(received: Received, text: str) -> None:
    """Every token once and in order, and one end."""
    assert received.error is None, received.error
    assert received.is_complete
    assert received.ids == sorted(set(received.ids)), "a chunk came twice or out of order"
    assert received.text == text
    assert received.finish_reason == "length"
