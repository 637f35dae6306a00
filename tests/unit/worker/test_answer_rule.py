"""Which rule an answer follows: by its constraint, its tools and its choice among them."""

from typing import Any

import pytest

from shared.bodies.tools import Tool, ToolChoice
from shared.errors import BadRequestError
from shared.job import Constraint
from shared.tool_calls.formats import FORMATS, HERMES, LLAMA3, MISTRAL, ToolFormat
from tests.fakes.sequences import a_job
from worker.grammar.answer_rule import AnswerRule, answer_rule
from worker.grammar.gbnf import MAX_BYTES

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (Tool(name="get_weather", parameters=CITY), Tool(name="get_time"), Tool(name="get"))
UNSUPPORTED = {"type": "object", "properties": {"odd": {"not": {}}}}
REQUIRED = ToolChoice(mode="required")


def rule(form: ToolFormat = HERMES, **fields: Any) -> AnswerRule:
    made = answer_rule(a_job(**{"tools": TOOLS, **fields}), form)
    assert made is not None
    return made


def test_a_job_that_asks_for_nothing_has_no_rule() -> None:
    assert answer_rule(a_job(), HERMES) is None


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_required_call_is_held_to_its_grammar_from_the_beginning(form: ToolFormat) -> None:
    made = rule(form, tool_choice=REQUIRED)

    assert made.trigger is None
    assert made.param == "tools"
    assert form.arguments_key.encode() in made.grammar
    assert b"weather" in made.grammar


@pytest.mark.parametrize(
    ("form", "text", "is_call"),
    [
        (HERMES, b"Well. <tool_call>", True),
        (HERMES, b"Well. <tool_cal", False),
        (MISTRAL, b"[TOOL_CALLS]", True),
        (LLAMA3, b'{"name": "get_time"', True),
        (LLAMA3, b'<|python_tag|>{"name":"get"', True),
        (LLAMA3, b'{"name": "get_ti', False),
        (LLAMA3, b'{"name": "Anna"', False),
        (LLAMA3, b'Well. {"name": "get"', False),
    ],
)
def test_where_the_model_may_choose_its_call_has_a_beginning(form: ToolFormat, text: bytes, is_call: bool) -> None:
    made = rule(form)

    assert made.trigger is not None
    assert (made.trigger.pattern.search(text) is not None) == is_call
    assert made.grammar


def test_none_means_that_no_call_may_begin() -> None:
    made = rule(tool_choice=ToolChoice(mode="none"))

    assert made.grammar == b""
    assert made.trigger is not None
    assert made.trigger.pattern.search(b"<tool_call>")


def test_names_have_their_common_beginning_once() -> None:
    grammar = rule(tool_choice=REQUIRED).grammar.decode()

    assert grammar.count('"get"') == 1
    assert '"get_time"' not in grammar


@pytest.mark.parametrize("choice", [ToolChoice(mode="required", name="get"), ToolChoice(mode="auto", allowed=("get",))])
def test_only_chosen_tools_are_in_the_grammar(choice: ToolChoice) -> None:
    grammar = rule(tool_choice=choice).grammar

    assert b"weather" not in grammar
    assert b'"get"' in grammar


@pytest.mark.parametrize(
    ("fields", "is_alone"),
    [
        ({}, False),
        ({"parallel_tool_calls": False}, True),
        ({"tool_choice": ToolChoice(mode="required", name="get")}, True),
    ],
)
def test_one_call_where_one_is_meant(fields: dict[str, Any], is_alone: bool) -> None:
    grammar = rule(**{"tool_choice": REQUIRED, **fields}).grammar

    assert (b"{0,31}" not in grammar) == is_alone


def test_llamas_form_has_one_call() -> None:
    assert b"{0,31}" not in rule(LLAMA3, tool_choice=REQUIRED).grammar


def test_a_response_format_is_for_the_text_and_tools_are_for_the_calls() -> None:
    constraint = Constraint(kind="json_object")
    alone = answer_rule(a_job(constraint=constraint), HERMES)

    both = rule(constraint=constraint)

    assert both.trigger is None
    assert b"<tool_call>" in both.grammar
    assert rule(constraint=constraint, tool_choice=REQUIRED) == rule(tool_choice=REQUIRED)
    assert rule(constraint=constraint, tool_choice=ToolChoice(mode="none")) == alone


def test_a_grammar_of_the_callers_own_and_tools_exclude_each_other() -> None:
    with pytest.raises(BadRequestError) as refused:
        rule(constraint=Constraint(kind="gbnf", source='root ::= "a"'))

    assert refused.value.param == "grammar"


def test_a_function_that_names_no_property_takes_no_arguments() -> None:
    without = rule(tools=(Tool(name="a", parameters={"type": "object", "properties": {}}),), tool_choice=REQUIRED)
    anything = rule(tools=(Tool(name="a", parameters={"type": "object"}),), tool_choice=REQUIRED)

    assert len(without.grammar) < len(anything.grammar)


def test_what_no_grammar_holds_to_is_any_object_unless_it_is_strict() -> None:
    loose = Tool(name="a", parameters=UNSUPPORTED)

    assert b"odd" not in rule(tools=(loose,), tool_choice=REQUIRED).grammar
    with pytest.raises(BadRequestError) as refused:
        rule(tools=(loose.model_copy(update={"strict": True}),))
    assert refused.value.param == "tools"
    assert "'a'" in refused.value.message


def test_tools_that_are_too_much_for_one_grammar_are_held_to_json_alone() -> None:
    many = tuple(
        Tool(
            name=f"tool_{tool}",
            parameters={"properties": {f"p_{tool}_{i}": {"enum": [f"{tool} {i}"]} for i in range(99)}},
        )
        for tool in range(128)
    )

    grammar = rule(tools=many, tool_choice=REQUIRED).grammar

    assert len(grammar) < MAX_BYTES
    assert b"p_0_0" not in grammar
