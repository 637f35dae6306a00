"""Items as callers give them, and the messages that they are."""

from typing import Any

import pytest
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from pydantic import TypeAdapter, ValidationError

from gateway.responses.given_items import GivenItem, messages_of
from shared.bodies.messages import Message

ITEMS: TypeAdapter[list[Any]] = TypeAdapter(list[GivenItem])


def read(*items: dict[str, Any]) -> tuple[Message, ...]:
    return messages_of(ITEMS.validate_python(list(items)))


def call(call_id: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "weather", "arguments": "{}"}


def test_a_message_needs_no_type_and_may_have_parts() -> None:
    one, two = read(
        {"role": "user", "content": "One"},
        {
            "type": "message",
            "role": "developer",
            "content": [{"type": "input_text", "text": "T"}, {"type": "text", "text": "wo"}],
        },
    )

    assert (one.role, one.content, one.parts) == ("user", "One", None)
    assert (two.role, two.content, [part.text for part in two.parts or ()]) == ("developer", "Two", ["T", "wo"])


def test_calls_in_a_row_and_the_text_before_them_are_one_message() -> None:
    messages = read(
        {"role": "assistant", "content": "Let me see."},
        call("a"),
        {"type": "reasoning", "id": "rs_1", "summary": []},
        call("b"),
        {"type": "function_call_output", "call_id": "a", "output": "sun"},
        call("c"),
    )

    assert [message.role for message in messages] == ["assistant", "tool", "assistant"]
    assert [made.id for made in messages[0].tool_calls or ()] == ["a", "b"]
    assert (messages[1].content, messages[1].tool_call_id) == ("sun", "a")
    assert messages[2].content == ""


def test_what_an_answer_held_can_be_sent_back_as_it_is() -> None:
    text = ResponseOutputText(type="output_text", text="Hello", annotations=[], logprobs=[])
    said = ResponseOutputMessage(id="msg_1", type="message", role="assistant", status="completed", content=[text])
    called = ResponseFunctionToolCall(
        id="fc_1", type="function_call", call_id="a", name="weather", arguments="{}", status="completed"
    )

    (message,) = read(said.model_dump(), called.model_dump())

    assert (message.content, [made.id for made in message.tool_calls or ()]) == ("Hello", ["a"])


def test_a_refusal_is_the_text_that_it_says() -> None:
    (message,) = read({"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]})

    assert message.content == "No."


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}, "input_image"),
        ({"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}, "input_file"),
        ({"role": "user", "content": []}, "at least 1 item"),
        ({"role": "user"}, "Field required"),
        ({"type": "item_reference", "id": "msg_1"}, "previous_response_id"),
        ({"id": "msg_1"}, "previous_response_id"),
        ({"type": "web_search_call", "id": "ws_1"}, "web_search_call"),
        ({"type": ["message"]}, "not supported"),
        ({"type": "function_call_output", "call_id": "a", "output": [{"type": "input_image"}]}, "input_image"),
        (7, "valid dictionary"),
    ],
)
def test_what_is_not_supported_is_refused_by_its_name(item: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ITEMS.validate_python([item])
