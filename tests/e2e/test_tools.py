"""Tools, as OpenAI's own client uses them. The demo model knows none: what it must call, the grammar makes."""

import json
from typing import Any

import httpx
import openai
import pytest

from tests.stack import Stack

SUM: Any = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 99}, "b": {"enum": [1, 2]}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
CLOCK: Any = {"type": "function", "function": {"name": "clock"}}
QUESTION: Any = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture
def asked(stack: Stack) -> dict[str, Any]:
    return {
        "model": stack.model,
        "messages": QUESTION,
        "tools": [SUM, CLOCK],
        "temperature": 1.0,
        "seed": 5,
        "max_tokens": 150,
    }


def checked(call: Any) -> str:
    """The name of a call whose arguments are valid."""
    arguments = json.loads(call.function.arguments)
    if call.function.name == "add":
        assert set(arguments) == {"a", "b"}
        assert 0 <= arguments["a"] <= 99
        assert arguments["b"] in (1, 2)
    else:
        assert arguments == {}
    return str(call.function.name)


@pytest.mark.parametrize("seed", range(3))
def test_a_required_call_is_one_of_the_tools_with_valid_arguments(
    client: openai.OpenAI, asked: dict[str, Any], seed: int
) -> None:
    answer = client.chat.completions.create(
        **{**asked, "seed": seed, "tool_choice": "required", "parallel_tool_calls": False}
    )

    (call,) = answer.choices[0].message.tool_calls or []
    assert checked(call) in ("add", "clock")
    assert answer.choices[0].message.content is None
    assert answer.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("name", ["add", "clock"])
def test_a_named_tool_is_called(client: openai.OpenAI, asked: dict[str, Any], name: str) -> None:
    choice: Any = {"type": "function", "function": {"name": name}}

    answer = client.chat.completions.create(**asked, tool_choice=choice)

    assert [checked(call) for call in answer.choices[0].message.tool_calls or []] == [name]


def test_a_streamed_call_is_the_plain_one_and_its_usage_too(client: openai.OpenAI, asked: dict[str, Any]) -> None:
    fields = {**asked, "tool_choice": "required", "parallel_tool_calls": False}
    plain = client.chat.completions.create(**fields)

    with client.chat.completions.stream(**fields, stream_options={"include_usage": True}) as stream:
        events = [event.type for event in stream]
        streamed = stream.get_final_completion()

    assert "tool_calls.function.arguments.delta" in events
    (call,), (told,) = ([*(answer.choices[0].message.tool_calls or [])] for answer in (plain, streamed))
    assert (call.function.name, call.function.arguments) == (told.function.name, told.function.arguments)
    assert plain.usage is not None
    assert streamed.usage is not None
    cached = {"prompt_tokens_details"}  # depends on what the worker has answered before
    assert plain.usage.model_dump(exclude=cached) == streamed.usage.model_dump(exclude=cached)


@pytest.mark.parametrize("choice", ["none", "auto"])
def test_a_model_that_calls_nothing_answers(client: openai.OpenAI, asked: dict[str, Any], choice: Any) -> None:
    answer = client.chat.completions.create(**{**asked, "temperature": 0}, tool_choice=choice)

    assert answer.choices[0].message.content
    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].finish_reason in ("stop", "length")


def test_a_result_that_is_sent_back_reaches_the_model(client: openai.OpenAI, asked: dict[str, Any]) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    calling: Any = {"role": "assistant", "content": None, "tool_calls": [call]}
    short = {**asked, "tools": [CLOCK], "max_tokens": 40}

    before = client.chat.completions.create(**short)
    after = client.chat.completions.create(
        **{**short, "messages": [*QUESTION, calling, {"role": "tool", "tool_call_id": "call_1", "content": "12:30"}]}
    )

    assert before.usage is not None
    assert after.usage is not None
    assert after.usage.prompt_tokens > before.usage.prompt_tokens


def test_in_a_session_the_call_is_stored_and_its_result_goes_on(
    client: openai.OpenAI, asked: dict[str, Any], stack: Stack
) -> None:
    with stack.client() as http:
        session_id = http.post("/v1/sessions", json={}).json()["id"]
    in_session = {**asked, "tools": [CLOCK], "max_tokens": 40, "extra_body": {"session_id": session_id}}
    named: Any = {"type": "function", "function": {"name": "clock"}}
    calling = client.chat.completions.create(**in_session, tool_choice=named)
    (call,) = calling.choices[0].message.tool_calls or []

    result = {"role": "tool", "tool_call_id": call.id, "content": "12:30"}
    answer = client.chat.completions.create(**{**in_session, "messages": [result]}, tool_choice="none")

    assert answer.choices[0].message.tool_calls is None
    assert roles_of(stack, session_id) == ["user", "assistant", "tool", "assistant"]


def roles_of(stack: Stack, session_id: str) -> list[str]:
    with stack.client() as http:
        answer: httpx.Response = http.get(f"/v1/sessions/{session_id}/messages")
    return [message["role"] for message in answer.json()["data"]]


def test_a_strict_schema_that_no_grammar_can_hold_to_is_refused(client: openai.OpenAI, asked: dict[str, Any]) -> None:
    function = {"name": "odd", "strict": True, "parameters": {"type": "object", "properties": {"a": {"not": {}}}}}

    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**{**asked, "tools": [{"type": "function", "function": function}]})

    assert refused.value.param == "tools"
    assert "odd" in refused.value.message
