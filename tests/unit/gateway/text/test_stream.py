import json
from typing import Any

import pytest

from gateway.follow import Ended
from gateway.heading import Heading
from gateway.text.stream import TextStream
from gateway.text.whole import WholeText
from shared.errors import DroverError
from shared.events import ChoiceEnd, FinalEvent, TokenLogprob, TokensEvent, Usage
from shared.job import AnswerForm

HEADING = Heading("j1", "m", 1700000000, "fp_x")
PAIR = Heading("j1", "m", 1700000000, "fp_x", form=AnswerForm(api="completions", choices=2))


def tokens(first_seq: int, *texts: str, choices: list[int] | None = None, has_logprobs: bool = False) -> TokensEvent:
    ids = list(range(len(texts)))
    logprobs = [[TokenLogprob(7, -0.5, text.encode())] for text in texts] if has_logprobs else None
    return TokensEvent("j1", first_seq, 1, ids, list(texts), choices, logprobs)


def ended(last_seq: int, text: str = "", *others: ChoiceEnd) -> Ended:
    return Ended(FinalEvent("j1", last_seq, 1, "stop", text, Usage(7, 3, 2), None, others), None)


def read(data: bytes) -> list[Any]:
    """Every frame as (id, JSON)."""
    found = []
    for block in data.decode().strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n"))
        said = lines["data"]
        found.append((int(lines["id"]) if "id" in lines else None, said if said == "[DONE]" else json.loads(said)))
    return found


def test_a_text_comes_in_openais_chunks() -> None:
    stream = TextStream(HEADING)

    told = read(stream.opening() + stream.tokens([tokens(1, "On", "ce")]) + stream.closing(ended(2, " x")))

    fields = {
        "id": "cmpl-j1",
        "object": "text_completion",
        "created": 1700000000,
        "model": "m",
        "system_fingerprint": "fp_x",
    }
    assert told == [
        (2, {**fields, "choices": [{"index": 0, "text": "Once", "logprobs": None, "finish_reason": None}]}),
        (3, {**fields, "choices": [{"index": 0, "text": " x", "logprobs": None, "finish_reason": "stop"}]}),
        (None, "[DONE]"),
    ]


def test_logprobs_tell_where_each_token_began() -> None:
    stream = TextStream(HEADING)
    stream.tokens([tokens(1, "On", has_logprobs=True)])

    told = read(stream.tokens([tokens(2, "ce", " u", has_logprobs=True)]))

    assert told[0][1]["choices"][0]["logprobs"] == {
        "tokens": ["ce", " u"],
        "token_logprobs": [-0.5, -0.5],
        "top_logprobs": [{}, {}],
        "text_offset": [2, 4],
    }


@pytest.mark.parametrize("cut", range(6))
def test_a_resumed_stream_says_what_is_left_wherever_the_tokens_are_cut(cut: int) -> None:
    event = tokens(1, "a", "b", "c", "d", "e", has_logprobs=True)
    stream = TextStream(HEADING, after_seq=cut)

    data = stream.tokens([event])

    chunks = [said["choices"][0] for _, said in read(data)] if data else []
    assert "".join(chunk["text"] for chunk in chunks) == "abcde"[cut:]
    assert [place for chunk in chunks for place in chunk["logprobs"]["text_offset"]] == list(range(cut, 5))


def test_a_caller_behind_the_last_token_does_not_get_the_held_text_twice() -> None:
    assert "tail" not in TextStream(HEADING, after_seq=3).closing(ended(2, "tail")).decode()
    assert "tail" in TextStream(HEADING, after_seq=2).closing(ended(2, "tail")).decode()


def test_choices_are_told_apart_and_counted_from_the_first_of_their_prompt() -> None:
    stream = TextStream(PAIR, first_index=4, is_alone=False)

    told = read(stream.tokens([tokens(1, "a", "A", "b", choices=[0, 1, 0])]))
    ending = read(stream.closing(ended(3, "", ChoiceEnd("length", "B"))))

    texts = [(said["choices"][0]["index"], said["choices"][0]["text"]) for _, said in told]
    assert texts == [(4, "a"), (5, "A"), (4, "b")]
    assert [said["choices"][0]["finish_reason"] for _, said in ending] == ["stop", "length"]
    assert {event_id for event_id, _ in told + ending} == {None}


def test_the_usage_comes_last_if_it_is_wanted() -> None:
    wanted = Heading("j1", "m", 1, "fp", has_usage=True)

    chunks = read(TextStream(wanted).tokens([tokens(1, "a")]) + TextStream(wanted).closing(ended(1)))

    assert [said["usage"] for _, said in chunks[:-2]] == [None, None]
    assert chunks[-2][1]["usage"]["total_tokens"] == 10
    assert chunks[-2][1]["choices"] == []


def test_a_failure_is_told_and_kept() -> None:
    stream = TextStream(HEADING)

    assert b"event: error" in stream.failed(DroverError())
    assert stream.error is not None


def test_a_whole_text_has_what_the_stream_has() -> None:
    events = [tokens(1, "a", "A", choices=[0, 1], has_logprobs=True), tokens(3, "b", choices=[0], has_logprobs=True)]
    whole = WholeText(PAIR)

    whole.add(events)
    told = json.loads(whole.answer(ended(3, "", ChoiceEnd("length", "B"))))

    assert [choice["text"] for choice in told["choices"]] == ["ab", "AB"]
    assert [choice["logprobs"]["text_offset"] for choice in told["choices"]] == [[0, 1], [0]]
    assert [choice["finish_reason"] for choice in told["choices"]] == ["stop", "length"]
    assert told["usage"]["completion_tokens"] == 3


def test_a_token_that_is_no_whole_character_is_told_by_its_bytes() -> None:
    event = TokensEvent("j1", 1, 1, [5], [""], None, [[TokenLogprob(5, -1.0, b"\xf0\x9f")]])

    told = read(TextStream(HEADING).tokens([event]))

    assert told[0][1]["choices"][0]["logprobs"]["tokens"] == ["bytes:\\xf0\\x9f"]
