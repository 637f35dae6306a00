"""The reply that a job leaves, put together from its events."""

from session_service.replies import reply_of, text_of
from shared.bodies.messages import FunctionCall, Message, ToolCall
from shared.events import FinalEvent, TokensEvent


def find_weather(text: str, *, model: str, job_id: str) -> Message:
    """One call of one tool, in a form of its own."""
    said, mark, arguments = text.partition("weather:")
    if not mark:
        raise ValueError("no call")
    call = ToolCall(id=f"call_{job_id}_{model}", function=FunctionCall(name="weather", arguments=arguments))
    return Message(role="assistant", content=said, tool_calls=(call,))


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


def test_an_answer_that_ends_for_tool_calls_has_them() -> None:
    reply = reply_of('weather:{"in":"Rome"}', "tool_calls", model="m", job_id="j", parse_tool_calls=find_weather)

    assert reply.tool_calls == (
        ToolCall(id="call_j_m", function=FunctionCall(name="weather", arguments='{"in":"Rome"}')),
    )
    assert (reply.content, reply.shown_content) == ("", None)


def test_other_answers_are_not_searched_for_calls() -> None:
    reply = reply_of("weather:{}", "stop", model="m", job_id="j", parse_tool_calls=find_weather)

    assert (reply.content, reply.tool_calls) == ("weather:{}", None)


def test_a_text_without_calls_stays_a_text() -> None:
    reply = reply_of("I cannot", "tool_calls", model="m", job_id="j", parse_tool_calls=find_weather)

    assert (reply.content, reply.tool_calls) == ("I cannot", None)
