"""The body of a response: what is asked of the model, what is repeated, what is refused."""

from typing import Any

import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsBase
from pydantic import ValidationError

from gateway.responses.body import CreateResponseBody
from shared.bodies.tools import ToolChoice
from shared.errors import NotFoundError, PreviousResponseNotFoundError

HEX = "019aa0c0de007000800000000000c0de"
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def body(**fields: Any) -> CreateResponseBody:
    return CreateResponseBody.model_validate({"model": "m", "input": "Hi", **fields})


def test_every_field_of_openais_client_is_known() -> None:
    theirs = set(ResponseCreateParamsBase.__annotations__) | {"stream"}

    assert theirs - set(CreateResponseBody.model_fields) == set()


def test_a_text_is_a_users_message() -> None:
    ask = body().ask()

    assert [(message.role, message.content) for message in ask.messages] == [("user", "Hi")]
    assert (ask.api, ask.is_background, ask.top_logprobs, ask.max_tokens) == ("responses", False, None, None)
    assert ask.turn is not None
    assert (ask.turn.is_stored, ask.turn.truncation, ask.turn.session_id) == (True, "disabled", None)


def test_the_histories_become_a_session_or_a_parent() -> None:
    chained = body(previous_response_id=f"resp_{HEX}").ask().turn
    conversing = [body(conversation=given).ask().turn for given in (f"conv_{HEX}", {"id": f"conv_{HEX}"})]

    assert chained is not None
    assert chained.parent_turn_id == HEX
    assert [turn and turn.session_id for turn in conversing] == [f"sess_{HEX}"] * 2


def test_ids_that_never_were_one_are_told_as_missing() -> None:
    with pytest.raises(PreviousResponseNotFoundError, match="resp_7"):
        body(previous_response_id="resp_7").ask()
    with pytest.raises(NotFoundError, match="conv_7"):
        body(conversation="conv_7").ask()


@pytest.mark.parametrize(
    ("format_", "kind", "source"),
    [
        ({"type": "text"}, None, None),
        ({"type": "json_object"}, "json_object", ""),
        (
            {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True},
            "json_schema",
            '{"type":"object","properties":{"a":{"type":"integer"}}}',
        ),
    ],
)
def test_the_text_is_held_to_its_format(format_: dict[str, Any], kind: str | None, source: str | None) -> None:
    asked = body(text={"format": format_})

    constraint = asked.ask().constraint

    assert (constraint and constraint.kind, constraint and constraint.source) == (kind, source)
    assert asked.described()["text"]["format"]["type"] == format_["type"]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (None, ToolChoice()),
        ("required", ToolChoice(mode="required")),
        ({"type": "function", "name": "weather"}, ToolChoice(mode="required", name="weather")),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]},
            ToolChoice(allowed=("weather",)),
        ),
    ],
)
def test_a_tool_is_chosen_as_openai_says_it(choice: Any, wanted: ToolChoice) -> None:
    asked = body(tools=[TOOL], tool_choice=choice)

    assert asked.ask().tool_choice == wanted
    assert [tool.name for tool in asked.ask().tools] == ["weather"]
    assert asked.described()["tool_choice"] == (choice or "auto")


def test_where_no_tool_may_be_called_the_model_is_told_of_none() -> None:
    asked = body(tools=[TOOL], tool_choice="none")

    assert asked.ask().tools == ()
    assert [tool["name"] for tool in asked.described()["tools"]] == ["weather"]


def test_logprobs_are_told_to_who_includes_them() -> None:
    included = ["message.output_text.logprobs"]

    assert body(top_logprobs=3).ask().top_logprobs is None
    assert body(include=included).ask().top_logprobs == 0
    assert body(include=included, top_logprobs=3).ask().top_logprobs == 3


def test_flex_waits_for_room_and_is_told() -> None:
    assert (body(service_tier="flex").ask().priority, body(service_tier="priority").ask().priority) == (
        "batch",
        "interactive",
    )
    assert body(service_tier="flex").described()["service_tier"] == "flex"


@pytest.mark.parametrize(
    "fields",
    [
        {"background": True, "store": False},
        {"conversation": f"conv_{HEX}", "store": False},
        {"conversation": f"conv_{HEX}", "previous_response_id": f"resp_{HEX}"},
        {"context_management": [{"type": "compaction"}]},
        {"moderation": {"model": "omni"}},
        {"reasoning": {"effort": "low"}},
        {"tools": [TOOL, TOOL]},
        {"tools": [{"type": "mcp", "server_label": "x"}]},
        {"temperature": 2.5},
        {"metadata": {"a": 1}},
        {"no_such_field": None},
    ],
)
def test_what_cannot_be_honoured_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        body(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": {"effort": None, "summary": "auto"}},
        {"reasoning": {"effort": "none"}},
        {"text": {"verbosity": "medium"}},
        {"prompt": None, "context_management": []},
        {"max_tool_calls": 3, "prompt_cache_key": "k", "safety_identifier": "s", "prompt_cache_retention": "24h"},
        {"stream_options": {"include_obfuscation": False}},
        {"include": ["reasoning.encrypted_content"]},
    ],
)
def test_what_changes_nothing_is_let_through(fields: dict[str, Any]) -> None:
    body(**fields)
