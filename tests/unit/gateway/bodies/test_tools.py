"""Tools and tool_choice in OpenAI's forms."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.bodies.tools import NO_PARAMETERS, ToolFields
from shared.bodies.tools import Tool, ToolChoice

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"name": "weather", "description": "How it is", "parameters": SCHEMA, "strict": True}
CLOCK = {"name": "clock"}


def tool(function: Any) -> dict[str, Any]:
    return {"type": "function", "function": function}


TOOLS = [tool(WEATHER), tool(CLOCK)]


def wrong_field(**fields: Any) -> tuple[str, str]:
    with pytest.raises(ValidationError) as refused:
        ToolFields.model_validate(fields)
    error = refused.value.errors()[0]
    return ".".join(str(part) for part in error["loc"]), error["msg"]


def test_tools_are_read() -> None:
    fields = ToolFields.model_validate({"tools": TOOLS})

    assert fields.asked_tools() == (
        Tool(name="weather", description="How it is", parameters=SCHEMA, strict=True),
        Tool(name="clock", parameters=NO_PARAMETERS),
    )
    assert fields.asked_choice() == ToolChoice(mode="auto")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("none", ToolChoice(mode="none")),
        ("auto", ToolChoice(mode="auto")),
        ("required", ToolChoice(mode="required")),
        (None, ToolChoice()),
        (tool({"name": "clock"}), ToolChoice(mode="required", name="clock")),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool({"name": "clock"})]}},
            ToolChoice(mode="auto", allowed=("clock",)),
        ),
    ],
)
def test_every_form_of_tool_choice_is_read(given: Any, read: ToolChoice) -> None:
    assert ToolFields.model_validate({"tools": TOOLS, "tool_choice": given}).asked_choice() == read


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, ToolChoice()),
        ("none", ToolChoice(mode="none")),
        ({"name": "weather"}, ToolChoice(mode="required", name="weather")),
    ],
)
def test_functions_are_tools_by_their_older_name(given: Any, read: ToolChoice) -> None:
    fields = ToolFields.model_validate({"functions": [WEATHER], "function_call": given})

    assert [one.name for one in fields.asked_tools()] == ["weather"]
    assert fields.asked_choice() == read
    assert fields.is_legacy


@pytest.mark.parametrize("fields", [{}, {"tools": []}, {"tools": None, "tool_choice": "auto"}, {"tool_choice": "none"}])
def test_who_asks_for_nothing_gets_no_tools(fields: dict[str, Any]) -> None:
    assert ToolFields.model_validate({"parallel_tool_calls": True, **fields}).asked_tools() == ()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tools": [tool({"name": "has space"})]}, "tools.0.function.name"),
        ({"tools": [tool({"name": "n" * 65})]}, "tools.0.function.name"),
        ({"tools": [tool({})]}, "tools.0.function.name"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": [{"type": "web_search_preview"}]}, "tools.0.type"),
        ({"tools": [tool({"name": "a", "parameters": {"type": "string"}})]}, "tools.0.function.parameters"),
        ({"tools": [tool({"name": "a", "parameters": []})]}, "tools.0.function.parameters"),
        ({"tools": [tool({"name": f"n{i}"}) for i in range(129)]}, "tools"),
        ({"tools": [tool(CLOCK), tool(CLOCK)]}, "tools"),
        ({"tools": "weather"}, "tools"),
        ({"tools": TOOLS, "functions": [CLOCK]}, "functions"),
        ({"tools": TOOLS, "tool_choice": tool({"name": "nobody"})}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": "any"}, "tool_choice"),
        ({"functions": [CLOCK], "function_call": {"name": "nobody"}}, "function_call"),
        ({"function_call": {"name": "clock"}}, "function_call"),
        ({"parallel_tool_calls": "yes"}, "parallel_tool_calls"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], field: str) -> None:
    path, _ = wrong_field(**fields)

    assert path == field or (field in ("tool_choice", "function_call") and path.startswith(f"{field}."))


def test_a_kind_of_tool_that_is_not_supported_is_named() -> None:
    _, message = wrong_field(tools=[{"type": "web_search_preview"}])

    assert "web_search_preview" in message


@pytest.mark.parametrize(
    "hostile",
    [
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a*)*"}}},
        {"type": "object", "properties": {"a": {"type": "string", "maxLength": 10**6}}},
        {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}},
        {"type": "object", "properties": {f"p{i}": {} for i in range(257)}},
        {"type": "object", "properties": {"a": {"enum": ["x" * 20_000]}}},
    ],
)
def test_a_hostile_schema_is_refused_as_in_a_response_format(hostile: dict[str, Any]) -> None:
    path, _ = wrong_field(tools=[tool({"name": "a", "parameters": hostile})])

    assert path == "tools.0.function.parameters"


def test_all_schemas_together_have_a_limit() -> None:
    large = {"type": "object", "properties": {"a": {"enum": ["x" * 15_000]}}}

    path, _ = wrong_field(tools=[tool({"name": f"n{i}", "parameters": large}) for i in range(20)])

    assert path == "tools"
