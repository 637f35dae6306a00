"""A response's events: numbered alike however the tokens came, resumed to the byte, OpenAI's to the letter."""

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from gateway.follow import Ended
from gateway.responses.document import Described
from gateway.responses.stream import FROM_THE_BEGINNING, ResponseStream
from shared.bodies.turns import Truncation
from shared.errors import DroverError, InferenceError, UnavailableError
from shared.events import FinalEvent, FinishReason, TokenLogprob, TokensEvent, Usage, joined
from shared.job import AnswerForm
from tests.unit.gateway.responses.requests import REQUEST, TURN_ID

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
PLAIN = AnswerForm(api="responses")
WITH_TOOLS = AnswerForm(api="responses", tool_names=("weather",))
CALL = [
    "Let ",
    "me",
    " see",
    ".\n",
    "<tool",
    "_call>",
    '{"name": "weather",',
    ' "arguments": {"city": "Rö',
    'm"}}',
    "</tool_call>",
]
TWO_CALLS = [*CALL, "\n<tool_call>", '{"name": "weather", "arguments": {}}', "</tool_call>\n", " "]


def described(**request: Any) -> Described:
    return Described(TURN_ID, "drover-tiny", {**REQUEST, **request}, {"b": "2", "a": "1"})


def tokens_of(texts: Sequence[str], *, has_logprobs: bool = False) -> list[TokensEvent]:
    return [
        TokensEvent(
            TURN_ID,
            seq,
            1,
            [seq],
            [text],
            logprobs=[[TokenLogprob(seq, -float(seq), text.encode()), TokenLogprob(0, -9.0, b"x")]]
            if has_logprobs
            else None,
        )
        for seq, text in enumerate(texts, start=1)
    ]


def ended(count: int, reason: FinishReason = "stop", text: str = "") -> Ended:
    return Ended(FinalEvent(TURN_ID, count, 1, reason, text, Usage(7, count, 3)), is_persisted=True)


def told(
    batches: Sequence[Sequence[TokensEvent]],
    end: Ended,
    *,
    form: AnswerForm = PLAIN,
    after: int = FROM_THE_BEGINNING,
    **request: Any,
) -> bytes:
    stream = ResponseStream(described(**request), form, after=after)
    pieces = [stream.created(), stream.opening()]
    pieces += [stream.tokens(batch) for batch in batches]
    return b"".join([*pieces, stream.closing(end)])


def events_of(data: bytes) -> list[dict[str, Any]]:
    events = []
    for block in data.decode().split("\n\n")[:-1]:
        number, kind, body = (line.partition(": ")[2] for line in block.split("\n"))
        event = json.loads(body)
        EVENTS.validate_python(event)
        assert (int(number), kind) == (event["sequence_number"], event["type"])
        events.append(event)
    return events


def grouped(events: Sequence[TokensEvent], chance: random.Random) -> list[list[TokensEvent]]:
    """The same tokens in other events and other batches."""
    batches: list[list[TokensEvent]] = []
    rest = list(events)
    while rest:
        batch = []
        for _ in range(chance.randint(1, 3)):
            count = chance.randint(1, 4)
            if rest:
                batch.append(joined(rest[:count]))
                rest = rest[count:]
        batches.append(batch)
    return batches


@pytest.mark.parametrize(
    ("texts", "form", "has_logprobs", "request_"),
    [
        (["Hel", "lo", "", " wörld", "!"], PLAIN, False, {}),
        (["Hel", "lo", "", " wörld", "!"], PLAIN, True, {}),
        (["Hel", "lo"], PLAIN, False, {"background": True}),
        (["  ", "Hello \n", " you ", " "], WITH_TOOLS, True, {}),
        (CALL, WITH_TOOLS, False, {}),
        (TWO_CALLS, WITH_TOOLS, True, {"background": True}),
        ([*CALL, "And", " more"], WITH_TOOLS, False, {}),
        (["<tool_call>{", '"name": "unknown"}'], WITH_TOOLS, False, {}),
        (CALL[:-2], WITH_TOOLS, True, {}),
        ([], PLAIN, False, {}),
    ],
)
@pytest.mark.parametrize("held_text", ["", " held"])
def test_the_bytes_do_not_depend_on_how_the_tokens_came(
    texts: list[str], form: AnswerForm, has_logprobs: bool, request_: dict[str, Any], held_text: str
) -> None:
    tokens, end = tokens_of(texts, has_logprobs=has_logprobs), ended(len(texts), text=held_text)
    one_by_one = told([[token] for token in tokens], end, form=form, **request_)

    events = events_of(one_by_one)

    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    for seed in range(20):
        assert told(grouped(tokens, random.Random(seed)), end, form=form, **request_) == one_by_one


@pytest.mark.parametrize("texts", [["Hel", "lo", "", " wörld", "!"], TWO_CALLS])
def test_a_resumed_stream_is_the_rest_to_the_byte(texts: list[str]) -> None:
    tokens, end = tokens_of(texts), ended(len(texts))
    whole = told([tokens], end, form=WITH_TOOLS)
    frames = [block + b"\n\n" for block in whole.split(b"\n\n")[:-1]]

    for after in range(len(frames) + 1):
        batches = grouped(tokens, random.Random(after))
        assert told(batches, end, form=WITH_TOOLS, after=after) == b"".join(frames[after + 1 :])


def test_calls_are_items_of_their_own_behind_the_text() -> None:
    events = events_of(told([tokens_of(TWO_CALLS)], ended(len(TWO_CALLS)), form=WITH_TOOLS))

    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
    assert output[0]["content"][0]["text"] == "Let me see."
    assert [item["arguments"] for item in output[1:]] == ['{"city": "Röm"}', "{}"]
    assert [item["id"] for item in output] == [f"msg_{TURN_ID}", f"fc_{TURN_ID}_0", f"fc_{TURN_ID}_1"]
    assert [item["call_id"] for item in output[1:]] == [f"call_{TURN_ID}_0", f"call_{TURN_ID}_1"]
    kinds = [event["type"].removeprefix("response.") for event in events if event.get("output_index") == 1]
    assert kinds == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]


def test_a_call_that_is_cut_short_is_incomplete_with_half_its_arguments() -> None:
    stream = told([tokens_of(CALL[:-2])], ended(len(CALL) - 2, "length"), form=WITH_TOOLS)

    last = events_of(stream)[-1]["response"]

    assert (last["status"], [item["status"] for item in last["output"]]) == ("incomplete", ["completed", "incomplete"])
    assert last["output"][1]["arguments"] == '{"city": "Rö'


@pytest.mark.parametrize("texts", [["Hel", "lo"], [" ", "a ", " b", "  "], ["{", '"a": 1}']])
def test_without_calls_the_text_is_whole_white_space_and_all(texts: list[str]) -> None:
    for form in (PLAIN, WITH_TOOLS):
        events = events_of(told([tokens_of(texts)], ended(len(texts)), form=form))

        said = "".join(event["delta"] for event in events if "delta" in event)
        assert said == "".join(texts) == events[-1]["response"]["output"][0]["content"][0]["text"]


def test_half_a_surrogate_pair_in_arguments_cannot_break_the_stream() -> None:
    texts = ['{"name": "weather", "arguments": "\\ud800"}']

    output = events_of(told([tokens_of(texts)], ended(1), form=WITH_TOOLS))[-1]["response"]["output"]

    assert "\ufffd" in output[0]["arguments"]


@pytest.mark.parametrize(
    ("reason", "kind", "status", "items"),
    [
        ("stop", "response.completed", "completed", ["completed"]),
        ("tool_calls", "response.completed", "completed", ["completed"]),
        ("length", "response.incomplete", "incomplete", ["incomplete"]),
        ("cancelled", "response.incomplete", "cancelled", ["incomplete"]),
    ],
)
def test_the_last_event_says_how_it_ended(reason: FinishReason, kind: str, status: str, items: list[str]) -> None:
    last = events_of(told([tokens_of(["Hello"])], ended(1, reason)))[-1]

    assert (last["type"], last["response"]["status"]) == (kind, status)
    assert [item["status"] for item in last["response"]["output"]] == items
    incomplete = last["response"]["incomplete_details"]
    assert incomplete == ({"reason": "max_output_tokens"} if reason == "length" else None)


def test_an_answer_without_a_word_is_an_empty_message_unless_it_was_cancelled() -> None:
    empty = events_of(told([], ended(0)))[-1]["response"]["output"]
    cancelled = events_of(told([], ended(0, "cancelled")))[-1]["response"]["output"]

    assert [item["content"][0]["text"] for item in empty] == [""]
    assert cancelled == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [(InferenceError("It broke."), "response.failed"), (UnavailableError("Away."), "error"), (DroverError(), "error")],
)
def test_a_failed_response_is_told_apart_from_a_stream_that_went_wrong(error: DroverError, kind: str) -> None:
    stream = ResponseStream(described(), PLAIN)
    data = stream.created() + stream.tokens(tokens_of(["Hel", "lo"])) + stream.failed(error)

    last = events_of(data)[-1]

    assert last["type"] == kind
    if kind == "error":
        assert (last["message"], last["code"]) == (error.message, error.code)
    else:
        assert last["response"]["error"] == {"code": "server_error", "message": "It broke.", "type": "inference_error"}
        assert last["response"]["output"][0]["content"][0]["text"] == "Hello"


def test_what_was_dropped_of_the_history_stands_under_drovers_name() -> None:
    told_of = Described(TURN_ID, "m", REQUEST, {}, Truncation(dropped_messages=2, dropped_tokens=9))

    assert told_of.document("completed")["drover"] == {"truncation": {"dropped_messages": 2, "dropped_tokens": 9}}
    assert "drover" not in described().document("completed")


def test_the_order_of_a_request_that_comes_from_postgres_changes_nothing() -> None:
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {"b": {}, "a": {}}}}
    turned = {name: tool[name] for name in reversed(tool)}

    here, there = (described(tools=[kept]).document("queued") for kept in (tool, turned))

    assert json.dumps(here) == json.dumps(there)
