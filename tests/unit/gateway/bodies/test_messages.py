"""Chat messages in OpenAI's forms, and whether they fit together."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.bodies.messages import MessageBody, as_messages
from shared.bodies.messages import FunctionCall, Message, TextPart, ToolCall
from shared.errors import BadRequestError

USER = {"role": "user", "content": "How warm is it?"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "21 °C"}
BODIES = TypeAdapter(list[MessageBody])


def read(*messages: Any, has_history: bool = False) -> tuple[Message, ...]:
    return as_messages(BODIES.validate_python(list(messages)), has_history=has_history)


def wrong_field(*messages: Any, has_history: bool = False) -> str:
    try:
        read(*messages, has_history=has_history)
    except ValidationError as refused:
        return ".".join(["messages", *(str(part) for part in refused.errors()[0]["loc"])])
    except BadRequestError as refused:
        return str(refused.param)
    raise AssertionError("nothing was refused")


def test_a_call_and_its_result_become_messages() -> None:
    question, calling, result = read(USER, CALLING, RESULT)

    assert question == Message(role="user", content="How warm is it?")
    function = FunctionCall(name="weather", arguments='{"city": "Rome"}')
    assert calling == Message(role="assistant", content="", tool_calls=(ToolCall(id="call_1", function=function),))
    assert calling.shown_content is None
    assert result == Message(role="tool", content="21 °C", tool_call_id="call_1")


def test_every_role_is_taken() -> None:
    roles = [message.role for message in read(*({"role": role, "content": "x"} for role in ("system", "developer")))]

    assert roles == ["system", "developer"]


def test_parts_are_joined_for_the_model_and_kept_as_they_were_given() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]

    (message,) = read({"role": "user", "content": parts})

    assert message.content == "Hello"
    assert message.parts == (TextPart(text="Hel"), TextPart(text="lo"))


@pytest.mark.parametrize(
    "fields",
    [{"content": [{"type": "refusal", "refusal": "I will not."}]}, {"content": None, "refusal": "I will not."}],
)
def test_a_refusal_is_what_the_assistant_said(fields: dict[str, Any]) -> None:
    (message,) = read({"role": "assistant", **fields})

    assert message.content == "I will not."


def test_the_older_function_messages_become_a_call_and_its_result() -> None:
    calling = {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}}
    result = {"role": "function", "name": "weather", "content": "21 °C"}

    messages = read(USER, calling, result, calling, result)

    first, second = (messages[place].tool_calls or () for place in (1, 3))
    assert first[0].id != second[0].id
    assert [message.tool_call_id for message in messages] == [None, None, first[0].id, None, second[0].id]
    assert messages[2].role == "tool"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"role": "tool", "content": "x"}, "tool_call_id"),
        ({"role": "user"}, "content"),
        ({"role": "user", "content": None}, "content"),
        ({"role": "assistant", "content": None}, "content"),
        ({"role": "user", "content": "x", "tool_calls": [CALL]}, "tool_calls"),
        ({"role": "assistant", "content": "x", "tool_calls": []}, "tool_calls"),
        ({"role": "assistant", "tool_calls": [CALL] * 129}, "tool_calls"),
        ({"role": "assistant", "tool_calls": [{**CALL, "id": ""}]}, "tool_calls.0.id"),
        ({"role": "assistant", "tool_calls": [{**CALL, "id": "x" * 257}]}, "tool_calls.0.id"),
        ({"role": "assistant", "tool_calls": [{**CALL, "type": "custom"}]}, "tool_calls.0.type"),
        (
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "weather", "arguments": {}}}]},
            "tool_calls.0.function.arguments",
        ),
        ({"role": "function", "content": "x"}, "name"),
        ({"role": "user", "content": "x", "name": "n" * 257}, "name"),
        ({"role": "nobody", "content": "x"}, "role"),
        ({"content": "x"}, "role"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, "content"),
        ({"role": "function", "name": "weather", "content": "x"}, "name"),
        ({"role": "tool", "tool_call_id": "call_2", "content": "x"}, "tool_call_id"),
    ],
)
def test_what_is_wrong_with_a_message_is_named(message: dict[str, Any], field: str) -> None:
    assert wrong_field(USER, message) == f"messages.1.{field}"


def test_a_result_answers_a_call_before_it() -> None:
    assert wrong_field(USER, RESULT, CALLING) == "messages.1.tool_call_id"


def test_in_a_session_the_call_may_be_one_of_an_earlier_turn() -> None:
    (message,) = read(RESULT, has_history=True)

    assert message.tool_call_id == "call_1"
    assert wrong_field({"role": "function", "name": "weather", "content": "x"}, has_history=True) == "messages.0.name"
