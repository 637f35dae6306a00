"""/tokenize and /detokenize, with the session service's real vocabulary."""

from typing import Any

import httpx
import pytest

NO_ARGUMENTS = {"type": "object", "properties": {}, "additionalProperties": False}
HELLO = {"model": "drover-tiny", "content": "then é"}


def test_a_text_becomes_tokens_and_text_again(http: httpx.Client) -> None:
    tokens = http.post("/tokenize", json=HELLO).json()

    text = http.post("/detokenize", json={"model": "drover-tiny", "tokens": tokens["tokens"]}).json()

    assert tokens["count"] == len(tokens["tokens"])
    assert tokens["max_context"] > 0
    assert text == {"content": "then é"}


def test_pieces_say_what_each_token_is(http: httpx.Client) -> None:
    pieces = http.post("/tokenize", json={**HELLO, "with_pieces": True}).json()["tokens"]

    assert [piece["piece"] for piece in pieces] == ["the", "n", " ", [0xC3], [0xA9]]


def test_a_chat_counts_with_its_template(http: httpx.Client) -> None:
    messages = [{"role": "user", "content": "the"}]

    chat = http.post("/tokenize", json={"model": "drover-tiny", "messages": messages}).json()

    assert chat["count"] > http.post("/tokenize", json={"model": "drover-tiny", "content": "the"}).json()["count"]


def test_a_chat_counts_with_its_tools_as_the_job_that_it_makes_will(http: httpx.Client) -> None:
    chat = {"model": "drover-tiny", "messages": [{"role": "user", "content": "the"}]}
    tools = [{"type": "function", "function": {"name": "weather", "description": "the weather"}}]

    counted = http.post("/tokenize", json={**chat, "tools": tools}).json()["count"]

    assert counted > http.post("/tokenize", json=chat).json()["count"]
    anthropic = {**chat, "tools": [{"name": "weather", "description": "the weather", "input_schema": NO_ARGUMENTS}]}
    assert http.post("/v1/messages/count_tokens", json=anthropic).json() == {"input_tokens": counted}


def test_special_tokens_are_taken_as_such_unless_asked_otherwise(http: httpx.Client) -> None:
    def count(**fields: Any) -> int:
        body = {"model": "drover-tiny", "content": "<|im_end|>", **fields}
        return int(http.post("/tokenize", json=body).json()["count"])

    assert (count(), count(parse_special=False) > 1) == (1, True)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/tokenize", {"model": "drover-tiny"}, 400),
        ("/tokenize", {**HELLO, "messages": [{"role": "user", "content": "a"}]}, 400),
        ("/tokenize", {**HELLO, "model": "none"}, 404),
        ("/tokenize", {**HELLO, "tools": [{"type": "function", "function": {"name": "weather"}}]}, 400),
        ("/detokenize", {"model": "drover-tiny", "tokens": [10**6]}, 400),
        ("/detokenize", {"model": "drover-tiny", "tokens": [-1]}, 400),
        ("/detokenize", {"model": "none", "tokens": [1]}, 404),
    ],
)
def test_bad_input_is_refused(http: httpx.Client, path: str, body: dict[str, Any], status: int) -> None:
    assert http.post(path, json=body).status_code == status


def test_a_vocabulary_is_for_those_with_a_key(gateway: str) -> None:
    assert httpx.post(f"{gateway}/tokenize", json=HELLO).status_code == 401
