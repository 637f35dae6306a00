"""A hundred streams at once over every API and both gateways: each gets its own answer, counted as a plain one is."""

import asyncio
import itertools
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from tests.stack import Stack

STREAMS = 100
TRIES = 3
"""As many as the official clients make: the first connections of a busy machine may take a gateway too long."""
MARKS = ["Anna", "Ben", "Clara", "David", "Emma", "Felix", "Mia", "Leo", "Nora", "Paul"]
"""Names, because the demo model knows how to tell a name that it was told."""

Events = list[dict[str, Any]]
Asked = tuple[str, dict[str, Any]]


def dialogue(mark: str) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"Hi, my name is {mark}."},
        {"role": "assistant", "content": f"Nice to meet you, {mark}."},
        {"role": "user", "content": "What is my name?"},
    ]


def chat(mark: str) -> Asked:
    return "/v1/chat/completions", {"messages": dialogue(mark), "max_tokens": 30}


def completions(mark: str) -> Asked:
    return "/v1/completions", {"prompt": as_text(dialogue(mark)), "max_tokens": 30, "stop": ["<|im_end|>"]}


def responses(mark: str) -> Asked:
    return "/v1/responses", {"input": dialogue(mark), "max_output_tokens": 30}


def messages(mark: str) -> Asked:
    return "/v1/messages", {"messages": dialogue(mark), "max_tokens": 30}


def native(mark: str) -> Asked:
    return "/api/chat", {"messages": dialogue(mark), "max_tokens": 30}


def as_text(said: list[dict[str, str]]) -> str:
    """What the chat template makes of it."""
    turns = (f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in said)
    return "".join(turns) + "<|im_start|>assistant\n"


APIS: list[Callable[[str], Asked]] = [chat, completions, responses, messages, native]
PIECES: dict[str, Callable[[dict[str, Any]], str]] = {
    "chat": lambda event: "".join(choice["delta"].get("content") or "" for choice in event["choices"]),
    "completions": lambda event: "".join(choice["text"] for choice in event["choices"]),
    "responses": lambda event: event["delta"] if event["type"] == "response.output_text.delta" else "",
    "messages": lambda event: event["delta"]["text"] if event["type"] == "content_block_delta" else "",
    "native": lambda event: event.get("token", ""),
}
"""The text that an event of each API brings."""


def whole_text(api: str, answer: dict[str, Any]) -> str:
    """The text of a plain answer."""
    match api:
        case "chat":
            text = answer["choices"][0]["message"]["content"]
        case "completions":
            text = answer["choices"][0]["text"]
        case "responses":
            text = answer["output"][0]["content"][0]["text"]
        case "messages":
            text = answer["content"][0]["text"]
        case _:
            text = answer["full_text"]
    return str(text)


def told_usage(api: str, events: Events) -> dict[str, Any]:
    """The usage that a stream tells, wherever its API puts it."""
    if api == "responses":
        return dict(events[-1]["response"]["usage"])
    return next(dict(event["usage"]) for event in reversed(events) if event.get("usage"))


def counted(usage: dict[str, Any]) -> tuple[int, int]:
    """Tokens of the prompt and of the answer; how many were cached depends on what was asked before."""
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    answer = usage.get("completion_tokens", usage.get("output_tokens"))
    assert isinstance(prompt, int)
    assert isinstance(answer, int)
    return prompt + usage.get("cache_read_input_tokens", 0), answer


def request_of(stack: Stack, asked: Asked, *, is_stream: bool) -> tuple[str, dict[str, Any]]:
    path, fields = asked
    body = {"model": stack.model, "temperature": 0, "stream": is_stream, **fields}
    if is_stream and path in ("/v1/chat/completions", "/v1/completions"):
        body["stream_options"] = {"include_usage": True}
    return path, body


async def streamed(http: httpx.AsyncClient, stack: Stack, gateway: int, asked: Asked) -> Events:
    path, body = request_of(stack, asked, is_stream=True)
    answer = await http.post(stack.gateways[gateway] + path, json=body)
    for _ in range(TRIES - 1):
        if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            break
        await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
        answer = await http.post(stack.gateways[gateway] + path, json=body)
    assert answer.status_code == HTTPStatus.OK, answer.text
    lines = (line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: "))
    return [json.loads(line) for line in lines if line != "[DONE]"]


def text_of(api: str, events: Events) -> str:
    return "".join(map(PIECES[api], events))


async def test_a_hundred_marked_streams_over_every_api_are_never_mixed_up(stack: Stack) -> None:
    pairs = itertools.islice(itertools.cycle(itertools.product(MARKS, APIS)), STREAMS)
    asked = [(mark, api) for mark, api in pairs]
    unlimited = stack.another_tenants_key("--concurrent-jobs", "0", "--tokens-per-minute", "0")
    headers = {"Authorization": f"Bearer {unlimited}"}

    async with httpx.AsyncClient(headers=headers, timeout=60, limits=httpx.Limits(max_connections=STREAMS)) as http:
        read = await asyncio.gather(
            *(streamed(http, stack, place % 2, api(mark)) for place, (mark, api) in enumerate(asked))
        )

    for (mark, api), events in zip(asked, read, strict=True):
        text = text_of(api.__name__, events)
        assert mark in text, (api.__name__, text)
        assert not any(other in text for other in MARKS if other != mark), (api.__name__, mark, text)


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.__name__)
@pytest.mark.parametrize("length", [1, 30], ids=["cut short", "whole"])
async def test_usage_and_text_are_the_same_streamed_and_plain(
    stack: Stack, api: Callable[[str], Asked], length: int
) -> None:
    path, fields = api("Anna")
    asked = path, {name: length if "tokens" in name else value for name, value in fields.items()}
    _, body = request_of(stack, asked, is_stream=False)

    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {stack.api_key}"}, timeout=60) as http:
        plain = (await http.post(stack.url + path, json=body)).raise_for_status().json()
        events = await streamed(http, stack, 1, asked)

    assert counted(told_usage(api.__name__, events)) == counted(plain["usage"])
    assert text_of(api.__name__, events) == whole_text(api.__name__, plain)
    assert counted(plain["usage"])[1] == 1 or length > 1
