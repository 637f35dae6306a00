from typing import Any

import pytest
from pydantic import ValidationError

from gateway.anthropic.body import MessagesBody

TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
CALL = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Rome"}}],
}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "sunny"}]}


def read(messages: Any = "Hello", **fields: Any) -> MessagesBody:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    return MessagesBody.model_validate({"model": "m", "max_tokens": 9, "messages": messages, **fields})


def test_a_request_becomes_an_ask() -> None:
    ask = read(system="Be short.", stop_sequences=["X"], temperature=0.5, top_k=3).ask()

    assert [(message.role, message.content) for message in ask.messages] == [("system", "Be short."), ("user", "Hello")]
    assert (ask.api, ask.max_tokens, ask.stop) == ("messages", 9, ("X",))
    assert (ask.sampling.temperature, ask.sampling.top_k, ask.sampling.top_p) == (0.5, 3, 1.0)


def test_a_result_answers_its_call_before_what_the_user_says_beside_it() -> None:
    user = {"role": "user", "content": [RESULT, {"type": "text", "text": "And tomorrow?"}]}

    messages = read([{"role": "user", "content": "?"}, CALL, user]).ask().messages

    assert [message.role for message in messages] == ["user", "assistant", "tool", "user"]
    assert messages[1].tool_calls is not None
    assert messages[1].tool_calls[0].function.arguments == '{"city":"Rome"}'
    assert (messages[2].tool_call_id, messages[2].content) == ("t1", "sunny")


def test_thoughts_of_before_are_left_out() -> None:
    thought = {"role": "assistant", "content": [{"type": "thinking", "thinking": "…", "signature": "s"},
                                                {"type": "text", "text": "Hi"}]}  # fmt: skip

    messages = read([{"role": "user", "content": "?"}, thought, {"role": "user", "content": "!"}]).ask().messages

    assert messages[1].content == "Hi"


@pytest.mark.parametrize(
    ("choice", "mode", "name", "is_parallel"),
    [
        ({"type": "auto"}, "auto", None, True),
        ({"type": "any", "disable_parallel_tool_use": True}, "required", None, False),
        ({"type": "tool", "name": "weather"}, "required", "weather", True),
        ({"type": "none"}, "none", None, True),
    ],
)
def test_a_tool_choice_is_translated(choice: dict[str, Any], mode: str, name: str | None, *, is_parallel: bool) -> None:
    ask = read(tools=[TOOL], tool_choice=choice).ask()

    assert (ask.tool_choice.mode, ask.tool_choice.name, ask.parallel_tool_calls) == (mode, name, is_parallel)


@pytest.mark.parametrize(
    ("messages", "fields"),
    [
        ("Hello", {"max_tokens": None}),
        ("Hello", {"temperature": 1.5}),
        ("Hello", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("Hello", {"tools": [{"type": "bash_20250124", "name": "bash"}]}),
        ("Hello", {"tools": [TOOL, TOOL]}),
        ("Hello", {"tool_choice": {"type": "any"}}),
        ("Hello", {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "other"}}),
        ([{"role": "user", "content": "?"}, {"role": "assistant", "content": "The"}], {}),
        ([{"role": "system", "content": "?"}], {}),
        ([{"role": "user", "content": [{"type": "image", "source": {}}]}], {}),
        ([{"role": "user", "content": [RESULT]}], {}),
        ([], {}),
    ],
)
def test_what_cannot_be_honoured_is_refused(messages: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(messages, **fields)


def test_a_format_becomes_a_constraint() -> None:
    constraint = read(output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}}).ask().constraint

    assert constraint is not None
    assert (constraint.kind, constraint.source) == ("json_schema", '{"type":"object"}')
    assert read(output_config={"effort": "low"}).ask().constraint is None


def test_fields_of_newer_clients_are_ignored() -> None:
    read(context_management={}, service_tier="auto", metadata={"user_id": "u"}, thinking={"type": "adaptive"})
