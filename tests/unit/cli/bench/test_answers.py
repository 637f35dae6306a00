import json
from typing import Any

import pytest

from cli.bench.answers import StreamedAnswer, refusal
from cli.bench.outcome import BROKEN_STREAM, DOUBLED_IDS, MISSING_IDS, Outcome


class Clock:
    """One second from one look to the next."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        self.now_s += 1
        return self.now_s


def text(words: str, event_id: int | None = None, index: int = 0) -> bytes:
    return event({"choices": [{"index": index, "delta": {"content": words}}]}, event_id)


def event(chunk: dict[str, Any], event_id: int | None = None) -> bytes:
    line = b"" if event_id is None else b"id: %d\n" % event_id
    return line + b"data: " + json.dumps(chunk).encode() + b"\n\n"


def usage(tokens: int, event_id: int | None = None) -> bytes:
    return event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": tokens}}, event_id)


DONE = b"data: [DONE]\n\n"


def read(*parts: bytes) -> Outcome:
    answer = StreamedAnswer(Clock())
    for part in parts:
        answer.feed(part)
    return answer.end()


def test_times_run_from_the_request_to_each_piece_of_text() -> None:
    role = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})

    outcome = read(role, text("a"), b": ping\n\n", text("b"), usage(3), DONE)

    assert (outcome.first_text_s, outcome.gaps_s, outcome.total_s) == (2.0, [2.0], 7.0)
    assert (outcome.tokens, outcome.prompt_tokens, outcome.is_counted) == (3, 5, True)
    assert (outcome.per_token_s, outcome.error) == (1.0, "")


def test_a_stream_may_be_cut_into_packets_anywhere() -> None:
    whole = text("a", 1) + text("b", 2) + usage(2, 3) + DONE

    for cut in range(1, len(whole)):
        outcome = read(whole[:cut], whole[cut:])

        assert (outcome.error, outcome.tokens, len(outcome.gaps_s)) == ("", 2, 1)


def test_pieces_are_tokens_where_the_server_counts_none() -> None:
    outcome = read(text("a"), text("b"), DONE)

    assert (outcome.tokens, outcome.is_counted) == (2, False)


@pytest.mark.parametrize("delta", [{"reasoning_content": "Hm"}, {"tool_calls": [{"index": 0}]}])
def test_thoughts_and_calls_are_first_tokens_too(delta: dict[str, Any]) -> None:
    assert read(event({"choices": [{"index": 0, "delta": delta}]}), DONE).first_text_s == 1.0


@pytest.mark.parametrize("end", [b"", b"data: {half", b"data: {half}\n\n", b'data: {"choices": 5}\n\n'])
def test_a_stream_without_its_last_word_is_broken(end: bytes) -> None:
    outcome = read(text("a"), end)

    assert (outcome.error, outcome.tokens) == (BROKEN_STREAM, 1)


def test_what_is_not_a_chunk_breaks_the_stream() -> None:
    assert read(b"data: [1]\n\n", DONE).error == BROKEN_STREAM


@pytest.mark.parametrize("ids", [(1, 1), (2, 1), (1, 3, 3), (4, 5, 2)])
def test_ids_that_come_again_are_doubled(ids: tuple[int, ...]) -> None:
    assert read(*(text("a", event_id) for event_id in ids), DONE).error == DOUBLED_IDS


def test_ids_that_end_before_the_tokens_do_are_missing() -> None:
    assert read(text("a", 1), text("b", 2), usage(3, 3), DONE).error == MISSING_IDS
    assert read(text("a", 1), text("b", 2), usage(2, 3), DONE).error == ""


def test_several_choices_have_one_id_more_each() -> None:
    assert read(text("a", 1), text("b", 2, index=1), usage(2, 4), DONE).error == ""


def test_an_error_in_the_stream_has_its_code_and_its_sentence() -> None:
    outcome = read(text("a"), b'event: error\ndata: {"error": {"code": "worker_lost", "message": "Gone."}}\n\n')

    assert (outcome.error, outcome.words) == ("in the stream: worker_lost", "Gone.")


def test_a_refusal_has_its_status_and_its_code() -> None:
    body = b'{"error": {"message": "Slower.", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}'

    assert refusal(429, body) == ("429 rate_limit_exceeded", "Slower.")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": "no"}', b"", b"\xff"])
def test_a_refusal_without_a_code_has_its_status(body: bytes) -> None:
    assert refusal(502, body)[0] == "502"


def test_what_comes_after_the_last_word_is_not_read() -> None:
    assert read(text("a"), DONE, text("b")).tokens == 1
