import json
from typing import Any

import pytest

from gateway.follow import Ended
from gateway.heading import Heading
from gateway.native.answer import NativeStream
from shared.errors import RateLimitError
from shared.events import FinalEvent, TokensEvent, Usage

HEADING = Heading("j1", "m", 1, "fp", session_id="s1")


def lines(data: bytes) -> list[Any]:
    return [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: ")]


def ended(text: str = "") -> Ended:
    return Ended(FinalEvent("j1", 3, 1, "stop", text, Usage(7, 3, 2), None), True)


def event(first_seq: int, *texts: str) -> TokensEvent:
    return TokensEvent("j1", first_seq, 1, list(range(len(texts))), list(texts))


def test_tokens_come_in_lines_and_the_last_line_has_them_all() -> None:
    stream = NativeStream(HEADING)

    told = lines(stream.opening() + stream.tokens([event(1, "Hel"), event(2, "lo", "")]) + stream.closing(ended("!")))

    assert told[:3] == [{"token": text, "done": False} for text in ("Hel", "lo", "!")]
    last = told[3]
    assert (last["done"], last["full_text"], last["session_id"]) == (True, "Hello!", "s1")
    assert (last["finish_reason"], last["usage"]["completion_tokens"]) == ("stop", 3)


@pytest.mark.parametrize(("after", "rest"), [(0, ["abc", "!"]), (1, ["bc", "!"]), (3, ["!"]), (4, [])])
def test_a_resumed_stream_still_ends_with_the_full_text(after: int, rest: list[str]) -> None:
    stream = NativeStream(HEADING, after_seq=after)

    told = lines(stream.tokens([event(1, "a", "b", "c")]) + stream.closing(ended("!")))

    assert [line["token"] for line in told[:-1]] == rest
    assert told[-1]["full_text"] == "abc!"


def test_an_error_is_a_last_line() -> None:
    assert lines(NativeStream(HEADING).failed(RateLimitError("Slower.")))[0]["error"]["message"] == "Slower."
    assert b"event:" not in NativeStream(HEADING).failed(RateLimitError("Slower."))
