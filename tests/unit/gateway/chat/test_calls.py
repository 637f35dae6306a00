"""Tool calls in chat's answers: streamed, whole, resumed, in the older form."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.chat.stream import ChatStream
from gateway.chat.whole import WholeChat
from gateway.follow import Ended
from gateway.heading import Heading
from shared.events import ChoiceEnd, FinalEvent, FinishReason, TokenLogprob, TokensEvent, Usage
from shared.job import AnswerForm

FORM = AnswerForm(tool_names=("weather",))
HEADING = Heading("j1", "m", 1700000000, "fp_x", form=FORM)
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'
TWO = ["Let me ", "see. <tool", *CALL[5:].partition('": "'), CALL[:30], CALL[30:50], CALL[50:]]


def events(texts: Sequence[str], size: int = 1) -> list[TokensEvent]:
    return [
        TokensEvent("j1", start + 1, 1, [7] * len(texts[start : start + size]), list(texts[start : start + size]))
        for start in range(0, len(texts), size)
    ]


def ended(last_seq: int, reason: FinishReason = "stop", text: str = "", *, others: tuple[ChoiceEnd, ...] = ()) -> Ended:
    return Ended(FinalEvent("j1", last_seq, 1, reason, text, Usage(7, last_seq, 2), others=others), None)


def streamed(heading: Heading, read: list[TokensEvent], end: Ended, after_seq: int = 0) -> list[bytes]:
    stream = ChatStream(heading, after_seq=after_seq)
    whole = stream.opening() + b"".join(stream.tokens([event]) for event in read) + stream.closing(end)
    return [frame + b"\n\n" for frame in whole.split(b"\n\n")[:-1]]


def data_of(frames: list[bytes]) -> list[Any]:
    return [json.loads(frame.partition(b"data: ")[2]) for frame in frames if b"[DONE]" not in frame]


def put_together(frames: list[bytes], choice: int = 0) -> tuple[str, list[dict[str, Any]], str]:
    """Content, calls and finish reason, as OpenAI's client puts them together."""
    content, reason = "", ""
    calls: dict[int, dict[str, Any]] = {}
    for chunk in data_of(frames):
        for one in chunk["choices"]:
            if one["index"] != choice:
                continue
            content += one["delta"].get("content") or ""
            for piece in one["delta"].get("tool_calls", ()):
                call = calls.setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
                call["id"] += piece.get("id", "")
                call["name"] += piece["function"].get("name", "")
                call["arguments"] += piece["function"]["arguments"]
            reason = one["finish_reason"] or reason
    return content, list(calls.values()), reason


@pytest.mark.parametrize("size", [1, 2, 8])
def test_a_streamed_answer_is_the_whole_one(size: int) -> None:
    read, end = events(TWO, size), ended(len(TWO))
    whole = WholeChat(HEADING)
    whole.add(read)
    message = json.loads(whole.answer(end))["choices"][0]

    content, calls, reason = put_together(streamed(HEADING, read, end))

    assert content == message["message"]["content"] == "Let me see."
    assert reason == message["finish_reason"] == "tool_calls"
    assert calls == [
        {"id": call["id"], "name": call["function"]["name"], "arguments": call["function"]["arguments"]}
        for call in message["message"]["tool_calls"]
    ]
    assert [call["id"] for call in calls] == ["call_j1_0", "call_j1_1"]
    assert [json.loads(call["arguments"]) for call in calls] == [{"city": "Rome"}] * 2


def test_content_is_null_beside_calls_alone() -> None:
    whole = WholeChat(HEADING)
    whole.add(events([CALL]))

    message = json.loads(whole.answer(ended(1)))["choices"][0]["message"]

    assert message["content"] is None
    assert [call["type"] for call in message["tool_calls"]] == ["function"]
    assert data_of(streamed(HEADING, events([CALL]), ended(1)))[0]["choices"][0]["delta"] == {
        "role": "assistant",
        "content": None,
    }


def test_arguments_are_told_as_they_come() -> None:
    texts = ['<tool_call>{"name": "weather", "arguments": ', '{"city":', ' "Rome"}', "}</tool_call>"]

    frames = data_of(streamed(HEADING, events(texts), ended(4)))

    deltas = [frame["choices"][0]["delta"] for frame in frames[1:-1]]
    assert [delta["tool_calls"][0]["function"] for delta in deltas] == [
        {"name": "weather", "arguments": '{"city":'},
        {"arguments": ' "Rome"}'},
    ]
    assert [set(delta["tool_calls"][0]) for delta in deltas] == [
        {"index", "function", "id", "type"},
        {"index", "function"},
    ]


@pytest.mark.parametrize("size", [1, 3])
def test_a_stream_goes_on_from_any_place_with_the_same_bytes(size: int) -> None:
    read, end = events(TWO, size), ended(len(TWO), text="  Done")
    whole = streamed(HEADING, read, end)
    places = {id_of(frame) for frame in whole} - {None, 0}
    assert len(places) > 2

    for place in sorted(filter(None, places)):
        rest = streamed(HEADING, read, end, place)

        is_end = [b'"finish_reason":"' in frame or id_of(frame) is None for frame in whole]
        assert rest == [
            frame for frame, always in zip(whole, is_end, strict=True) if always or (id_of(frame) or 0) > place
        ]


def id_of(frame: bytes) -> int | None:
    return int(frame.split(b"\n")[0][4:]) if frame.startswith(b"id: ") else None


def test_only_an_answer_with_tools_is_read_from_its_beginning() -> None:
    assert ChatStream(HEADING, after_seq=4).needs_all
    assert not ChatStream(replace(HEADING, form=AnswerForm()), after_seq=4).needs_all


def test_a_call_that_was_held_back_until_the_end_is_told_there() -> None:
    frames = streamed(HEADING, events(["x"]), ended(1, text=CALL))

    assert put_together(frames)[1:] == (
        [{"id": "call_j1_0", "name": "weather", "arguments": '{"city": "Rome"}'}],
        "tool_calls",
    )


def test_an_answer_that_is_cut_short_has_ended_for_its_length() -> None:
    cut = CALL[:50]

    _, (call,), reason = put_together(streamed(HEADING, events([cut]), ended(1, "length")))

    assert CALL.find(call["arguments"]) > 0
    assert reason == "length"


def test_each_choice_has_calls_of_its_own() -> None:
    heading = replace(HEADING, form=FORM.model_copy(update={"choices": 2}))
    read = [TokensEvent("j1", 1, 1, [7] * 4, ["Hello", CALL[:30], " you", CALL[30:]], [0, 1, 0, 1])]
    end = ended(4, others=(ChoiceEnd("stop", ""),))

    frames = streamed(heading, read, end)

    assert put_together(frames, 0) == ("Hello you", [], "stop")
    content, (call,), reason = put_together(frames, 1)
    assert (content, call["id"], reason) == ("", "call_j1_1_0", "tool_calls")


def test_logprobs_of_all_tokens_are_told_with_what_they_make() -> None:
    texts = ["<tool", *CALL[5:].partition("city"), ""]
    read = [
        replace(event, logprobs=[[TokenLogprob(7, -0.5, text.encode())]])
        for event, text in zip(events(texts), texts, strict=True)
    ]

    frames = data_of(streamed(HEADING, read, ended(len(texts))))

    places = [place for frame in frames for place in (frame["choices"][0]["logprobs"] or {}).get("content", ())]
    assert [place["token"] for place in places] == texts


def test_older_clients_get_a_function_call() -> None:
    heading = replace(HEADING, form=FORM.model_copy(update={"is_legacy": True}))
    whole = WholeChat(heading)
    whole.add(events([CALL]))

    choice = json.loads(whole.answer(ended(1)))["choices"][0]
    deltas = [frame["choices"][0] for frame in data_of(streamed(heading, events([CALL[:55], CALL[55:]]), ended(2)))]

    assert choice["message"]["function_call"] == {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == deltas[-1]["finish_reason"] == "function_call"
    pieces = [one["delta"]["function_call"] for one in deltas if "function_call" in one["delta"]]
    assert [piece.get("name") for piece in pieces] == ["weather", None]
    assert "".join(piece["arguments"] for piece in pieces) == '{"city": "Rome"}'
