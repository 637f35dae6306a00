"""The reply that a job leaves, put together from its events."""

import pytest

from session_service.replies import ending_of, reply_of, text_of
from shared.bodies.messages import FunctionCall, Message, ToolCall
from shared.events import FinalEvent, TokensEvent

CALL = '<tool_call>{"name": "sun", "arguments": {"in": "Rome"}}</tool_call>'


def test_the_text_ends_with_what_was_held_back() -> None:
    events: list[TokensEvent | FinalEvent] = [
        TokensEvent("j", 1, 1, [5, 6], ["Hel", "lo"]),
        TokensEvent("j", 3, 1, [7], [""]),
        FinalEvent("j", 3, 1, "stop", " \N{SLICE OF PIZZA}"),
    ]

    assert text_of(events) == "Hello \N{SLICE OF PIZZA}"


def test_a_character_that_postgres_cannot_hold_is_replaced() -> None:
    assert text_of([TokensEvent("j", 1, 1, [5], ["a\x00b"])]) == "a\N{REPLACEMENT CHARACTER}b"


def test_no_events_are_no_text() -> None:
    assert text_of([]) == ""


def test_calls_of_the_turns_tools_are_taken_out_of_the_text() -> None:
    reply = reply_of(f"Let me see. {CALL}", ["sun"], "j")

    assert reply.content == "Let me see."
    function = FunctionCall(name="sun", arguments='{"in": "Rome"}')
    assert reply.tool_calls == (ToolCall(id="call_j_0", function=function),)


@pytest.mark.parametrize("names", [(), ("rain",)])
def test_calls_of_other_tools_are_text(names: tuple[str, ...]) -> None:
    assert reply_of(CALL, names, "j") == Message(role="assistant", content=CALL)


def test_arguments_are_stored_with_their_escapes() -> None:
    (call,) = reply_of(CALL.replace("Rome", "\\ud800"), ["sun"], "j").tool_calls or ()

    assert "\\ud800" in call.function.arguments


def test_a_call_that_cannot_be_stored_is_text() -> None:
    broken = '<tool_call>{"name": "sun", "arguments": "\\ud800"}</tool_call>'

    assert reply_of(broken, ["sun"], "j") == Message(role="assistant", content=broken)


@pytest.mark.parametrize(
    ("text", "reason", "ending"),
    [(CALL, "stop", "tool_calls"), (CALL, "length", "length"), ("Hello", "stop", "stop"), (CALL, "error", "error")],
)
def test_a_reply_with_calls_has_stopped_for_them(text: str, reason: str, ending: str) -> None:
    assert ending_of(reply_of(text, ["sun"], "j"), reason) == ending
