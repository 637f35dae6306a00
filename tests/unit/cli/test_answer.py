import json
from typing import Any

import pytest

from cli.client.answer import Answer, Piece
from cli.client.errors import ApiError
from cli.client.sse import Event


def chunk(event_id: str = "1", **fields: Any) -> Event:
    return Event(json.dumps({"choices": [], **fields}), event_id)


def delta(text: str | None, finish_reason: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"index": index, "delta": {} if text is None else {"content": text}, "finish_reason": finish_reason}


def test_chunks_of_a_chat_add_up() -> None:
    answer = Answer()

    pieces = [
        *answer.read(chunk("0", choices=[{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}])),
        *answer.read(chunk("1", choices=[delta("Hello ")])),
        *answer.read(chunk("2", choices=[delta("you.")])),
        *answer.read(chunk("3", choices=[delta(None, "stop")])),
        *answer.read(chunk("3", usage={"completion_tokens": 2})),
    ]

    assert pieces == [Piece("Hello "), Piece("you.")]
    assert (answer.text, answer.finish_reason, answer.usage) == ("Hello you.", "stop", {"completion_tokens": 2})
    assert (answer.last_event_id, answer.is_over) == ("3", False)
    assert answer.read(Event("[DONE]")) == []
    assert answer.is_over


def test_choices_of_raw_completions_are_kept_apart() -> None:
    answer = Answer()

    answer.read(chunk(choices=[{"index": 1, "text": "b", "finish_reason": None}]))
    answer.read(chunk(choices=[{"index": 0, "text": "a", "finish_reason": "length"}]))
    answer.read(chunk(choices=[{"index": 1, "text": "b", "finish_reason": "stop"}]))

    assert answer.texts == {0: "a", 1: "bb"}
    assert answer.finish_reasons == {0: "length", 1: "stop"}


def test_a_cancelled_answer_is_not_called_too_long() -> None:
    answer = Answer()

    answer.read(
        chunk(choices=[delta(None, "length")], drover={"cancelled": True, "truncation": {"dropped_messages": 2}})
    )

    assert answer.finish_reason == "cancelled"
    assert answer.truncation == {"dropped_messages": 2}


def test_an_error_event_ends_the_answer_with_the_servers_sentence() -> None:
    answer = Answer(job_id="j")

    with pytest.raises(ApiError, match="The worker was lost") as caught:
        answer.read(Event(json.dumps({"error": {"message": "The worker was lost.", "code": "worker_lost"}})))

    assert answer.is_over
    assert caught.value.details == {"code": "worker_lost", "job_id": "j"}


@pytest.mark.parametrize("data", ["<html>", "[]", "3"])
def test_an_event_of_another_server_is_refused(data: str) -> None:
    with pytest.raises(ApiError, match="none of Drover's"):
        Answer().read(Event(data))
