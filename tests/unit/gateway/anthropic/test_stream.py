import json
from typing import Any

import pytest

from gateway.anthropic.stream import MessageStream
from gateway.anthropic.whole import WholeMessage
from gateway.follow import Ended
from gateway.heading import Heading
from shared.errors import QueueFullError
from shared.events import FinalEvent, TokensEvent, Usage
from shared.job import AnswerForm

HEADING = Heading("j1", "m", 1, "fp", form=AnswerForm(api="messages", tool_names=("weather",)))
CALL = '<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>'


def tokens(text: str, first_seq: int = 1) -> TokensEvent:
    """A token for each character."""
    return TokensEvent("j1", first_seq, 1, [0] * len(text), list(text))


def ended(last_seq: int, text: str = "", stop: str | None = None) -> Ended:
    return Ended(FinalEvent("j1", last_seq, 1, "stop", text, Usage(7, 3, 2), None, (), stop), None)


def events(data: bytes) -> list[Any]:
    return [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: ")]


def kinds(data: bytes) -> list[str]:
    return [event["type"] for event in events(data)]


def test_a_text_is_one_block() -> None:
    stream = MessageStream(HEADING, prompt_tokens=7)

    data = stream.opening() + stream.tokens([tokens("Hi")]) + stream.tokens([tokens("!", 3)]) + stream.closing(ended(3))

    assert kinds(data) == [
        "message_start", "ping", "content_block_start", "content_block_delta", "content_block_delta",
        "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    start, *_, delta, _ = events(data)
    assert start["message"]["usage"]["input_tokens"] == 7
    assert delta["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert delta["usage"] == {
        "input_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2, "output_tokens": 3,
    }  # fmt: skip


def test_a_call_is_a_block_of_its_own() -> None:
    stream = MessageStream(HEADING)
    text = "Well. " + CALL

    told = events(stream.tokens([tokens(text)]) + stream.closing(ended(len(text))))

    starts = [event["content_block"] for event in told if event["type"] == "content_block_start"]
    assert [(start["type"], start.get("name")) for start in starts] == [("text", None), ("tool_use", "weather")]
    pieces = [
        event["delta"]["partial_json"] for event in told if event.get("delta", {}).get("type") == "input_json_delta"
    ]
    assert json.loads("".join(pieces)) == {"city": "Rome"}
    assert told[-2]["delta"]["stop_reason"] == "tool_use"


def test_the_stop_sequence_is_named() -> None:
    delta = events(MessageStream(HEADING).closing(ended(0, stop="END")))[0]["delta"]

    assert delta == {"stop_reason": "stop_sequence", "stop_sequence": "END"}


def test_an_answer_without_text_has_no_block() -> None:
    assert kinds(MessageStream(HEADING).closing(ended(0))) == ["message_delta", "message_stop"]


@pytest.mark.parametrize("after", range(0, 80, 7))
def test_a_resumed_stream_says_what_is_left(after: int) -> None:
    text = "Well. " + CALL
    stream = MessageStream(HEADING)
    begun = [stream.tokens([tokens(character, seq)]) for seq, character in enumerate(text, 1)]
    whole = b"".join(begun[after:]) + stream.closing(ended(len(text)))

    resumed = MessageStream(HEADING, after_seq=after)
    rest = resumed.tokens([tokens(text[: after + 1])]) if after < len(text) else resumed.tokens([tokens(text)])
    if after < len(text):
        rest += b"".join(resumed.tokens([tokens(c, seq)]) for seq, c in enumerate(text[after + 1 :], after + 2))
    rest += resumed.closing(ended(len(text)))

    assert rest == whole


def test_an_error_is_in_anthropics_shape() -> None:
    assert events(MessageStream(HEADING).failed(QueueFullError()))[0]["error"]["type"] == "overloaded_error"


def test_a_whole_message_has_the_same_blocks() -> None:
    whole = WholeMessage(HEADING)
    whole.add([tokens("Well. " + CALL)])

    told = json.loads(whole.answer(ended(9)))

    assert told["content"][0] == {"type": "text", "text": "Well."}
    assert {**told["content"][1], "id": ""} == {
        "type": "tool_use",
        "id": "",
        "name": "weather",
        "input": {"city": "Rome"},
    }
    assert (told["stop_reason"], told["id"], told["usage"]["output_tokens"]) == ("tool_use", "msg_j1", 3)
