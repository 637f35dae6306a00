"""A stored response: its object, and its stream told again."""

from typing import Any

import pytest

from gateway.responses.stored import stored_document, stored_stream
from shared.bodies.stored_turns import TurnBody
from tests.unit.gateway.responses.requests import REQUEST, TURN_ID
from tests.unit.gateway.responses.test_stream import events_of

CALL = {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}


def turn(state: str = "done", reason: str | None = "stop", content: str | None = "Hello", **output: Any) -> TurnBody:
    is_over = state != "pending"
    reply = {
        "id": f"msg_{TURN_ID}",
        "created_at": 2,
        "turn_id": TURN_ID,
        "role": "assistant",
        "content": content,
        "tokens": 3,
        "finish_reason": reason,
        "status": "completed" if state == "done" else "incomplete",
        **output,
    }
    return TurnBody.model_validate(
        {
            "id": TURN_ID,
            "session_id": None,
            "parent_turn_id": None,
            "model": "m",
            "state": state,
            "finish_reason": reason,
            "error": {"message": "It broke.", "code": "inference_error"} if state == "failed" else None,
            "created_at": 1,
            "finished_at": 2 if is_over else None,
            "metadata": {},
            "request": REQUEST,
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "cached_tokens": 1} if is_over else None,
            "truncation": {},
            "output": reply if is_over else None,
        }
    )


@pytest.mark.parametrize(
    ("state", "reason", "status", "item"),
    [
        ("done", "stop", "completed", "completed"),
        ("done", "tool_calls", "completed", "completed"),
        ("done", "length", "incomplete", "incomplete"),
        ("cancelled", "cancelled", "cancelled", "incomplete"),
        ("failed", "error", "failed", "incomplete"),
    ],
)
def test_how_it_ended_is_told_in_openais_words(state: str, reason: str, status: str, item: str) -> None:
    document = stored_document(turn(state, reason))

    assert (document["status"], document["output"][0]["status"]) == (status, item)
    assert (document["error"] is not None) == (state == "failed")
    assert document.get("completed_at") == (2 if status == "completed" else None)
    last = events_of(stored_stream(turn(state, reason)))[-1]
    assert last["response"] == document


def test_one_that_has_not_ended_is_as_the_ledger_says() -> None:
    document = stored_document(turn("pending", None), "queued")

    assert (document["status"], document["output"], document["usage"]) == ("queued", [], None)


@pytest.mark.parametrize(
    ("content", "kinds"), [(None, ["function_call"] * 2), ("Wait.", ["message", *["function_call"] * 2])]
)
def test_text_and_calls_are_items_and_told_again_as_such(content: str | None, kinds: list[str]) -> None:
    called = turn(reason="tool_calls", content=content, tool_calls=[CALL, {**CALL, "id": "call_b"}])

    document = stored_document(called)
    events = events_of(stored_stream(called))

    assert [item["type"] for item in document["output"]] == kinds
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == document["output"] == events[-1]["response"]["output"]


def test_an_empty_answer_is_an_item_only_if_it_ended_well() -> None:
    assert len(stored_document(turn(content=""))["output"]) == 1
    assert stored_document(turn("cancelled", "cancelled", content=""))["output"] == []
