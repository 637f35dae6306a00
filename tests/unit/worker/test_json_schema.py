"""JSON schemas become grammars, or are refused with a sentence that says why."""

import json
import re
from typing import Any

import pytest

from shared.errors import BadRequestError
from shared.job import Constraint
from worker.grammar.constraint import constraint_grammar
from worker.grammar.errors import GrammarError
from worker.grammar.gbnf import MAX_BYTES, Rules, characters, literal, merged, repeated, without
from worker.grammar.integers import integers
from worker.grammar.json_schema import schema_rule
from worker.grammar.patterns import pattern_string


def schema_grammar(schema: Any) -> str:
    rules = Rules()
    return rules.source(schema_rule(schema, rules))


def as_regex(body: str) -> re.Pattern[str]:
    """GBNF without strings that need escapes is a regular expression with spaces and quotes."""
    return re.compile(body.replace(" ", "").replace('"', "").replace("(", "(?:"))


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0, 0),
        (0, 9),
        (1, 10),
        (-5, 120),
        (-120, -7),
        (-1, 0),
        (99, 101),
        (123, 4567),
        (-4567, 4567),
        (1000, 1000),
        (7, 8),
    ],
)
def test_integers_between_two_bounds_are_exactly_those(low: int, high: int) -> None:
    pattern = as_regex(integers(low, high))

    assert all((pattern.fullmatch(str(value)) is not None) == (low <= value <= high) for value in range(-5000, 5001))
    assert not any(pattern.fullmatch(text) for text in ("-0", "007", "1.5", "", "+1", "--1"))


def test_an_integer_with_one_bound_reaches_eighteen_digits() -> None:
    pattern = as_regex(integers(5, None))

    assert pattern.fullmatch("9" * 18)
    assert not pattern.fullmatch("9" * 19)
    assert not pattern.fullmatch("4")


@pytest.mark.parametrize("bounds", [(2, 1), (10**18, None), (None, -(10**18))])
def test_bounds_that_cannot_be_kept_are_refused(bounds: tuple[int | None, int | None]) -> None:
    with pytest.raises(GrammarError):
        integers(*bounds)


def test_literals_and_sets_are_escaped() -> None:
    assert literal('a"b\\c\n☃') == '"a\\"b\\\\c\\x0A☃"'
    assert characters([(0x30, 0x39), (0x5D, 0x5D), (0x1F600, 0x1F601)]) == "[0-9\\x5D\\U0001F600-\\U0001F601]"
    assert merged([(5, 9), (1, 3), (4, 4), (20, 21)]) == [(1, 9), (20, 21)]
    assert without([(0, 10), (20, 30)], [(5, 22)]) == [(0, 4), (23, 30)]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [((0, None), "x*"), ((1, None), "x+"), ((0, 1), "x?"), ((2, 2), "x{2}"), ((0, 3), "x{0,3}"), ((3, None), "x{3,}")],
)
def test_repetitions(bounds: tuple[int, int | None], expected: str) -> None:
    assert repeated("x", *bounds) == expected


@pytest.mark.parametrize(
    "pattern", ["abc", "^abc", "abc$", "^(?=a)b$", r"^(a)\1$", r"^\bword$", "^(?i:a)$", "^[$", "^a{9999}$"]
)
def test_a_pattern_that_is_not_plain_is_refused(pattern: str) -> None:
    with pytest.raises(GrammarError):
        pattern_string(pattern)


def test_a_pattern_cannot_break_out_of_its_string() -> None:
    grammar = pattern_string('^"\\\\\\n ::= x$')

    assert "\n" not in grammar
    assert '"\\\\\\""' in grammar  # the quotation mark is one of JSON's, with its backslash


REFUSED: dict[str, Any] = {
    "not": {"not": {"type": "string"}},
    "not is": {"not": {}},
    "if": {"if": {"const": 1}, "then": {"const": 2}},
    "patternProperties": {"patternProperties": {"^a$": {"type": "null"}}},
    "minProperties": {"type": "object", "minProperties": 2},
    "uniqueItems": {"type": "array", "uniqueItems": True},
    "multipleOf": {"type": "integer", "multipleOf": 7},
    "contains": {"type": "array", "contains": {"const": 1}},
    "type": {"type": "text"},
    "enum": {"enum": []},
    "anyOf": {"anyOf": []},
    "minLength": {"type": "string", "minLength": 5, "maxLength": 2},
    "minimum": {"type": "integer", "minimum": "1"},
    "minItems": {"type": "array", "minItems": -1},
    "$ref": {"$ref": "https://example.com/x"},
    "properties": {"allOf": [{"properties": {"a": {"type": "null"}}}, {"properties": {"a": {"type": "string"}}}]},
    "maximum": {"allOf": [{"type": "integer", "maximum": 1}, {"maximum": 2}]},
    "additionalProperties": {"type": "object", "required": ["a"], "additionalProperties": False},
}


CLOSED = {"type": "object", "properties": {"a": {}}, "additionalProperties": False}


@pytest.mark.parametrize(
    "schema", [{"allOf": [CLOSED, {"properties": {"b": {}}}]}, CLOSED | {"anyOf": [{"properties": {"b": {}}}]}]
)
def test_a_part_that_forbids_the_properties_of_another_is_refused(schema: Any) -> None:
    with pytest.raises(GrammarError, match="additionalProperties"):
        schema_grammar(schema)


def test_parts_that_name_no_further_property_go_together() -> None:
    alternatives = {"anyOf": [{"required": ["a"]}, {"properties": {"a": {}}}]}

    assert schema_grammar(CLOSED | alternatives)


@pytest.mark.parametrize("keyword", REFUSED)
def test_what_could_make_an_answer_invalid_is_refused_by_name(keyword: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        constraint_grammar(Constraint(kind="json_schema", source=json.dumps(REFUSED[keyword])))

    assert keyword in refused.value.message
    assert refused.value.param == "response_format"


def test_annotations_and_unknown_formats_are_ignored() -> None:
    plain = {"type": "object", "properties": {"a": {"type": "string"}}}
    noted = {
        **plain,
        "$schema": "x",
        "title": "T",
        "properties": {"a": {"type": "string", "format": "email", "description": "d", "default": "e"}},
    }

    assert schema_grammar(noted) == schema_grammar(plain)


def test_a_grammar_grows_with_its_schema_and_not_faster() -> None:
    def size(count: int) -> int:
        return len(schema_grammar({"properties": {f"p{index}": {"type": "string"} for index in range(count)}}))

    assert size(200) < 12 * size(20)


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": ["x" * 1000 + str(index) for index in range(400)]},
        {"properties": {f"p{index}": {"const": f"{index}" * 1000} for index in range(300)}},
        {"$defs": {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(60)}, "$ref": "#/$defs/d0"},
        {"type": "object", "anyOf": [{"$ref": "#"}]},
    ],
    ids=["values", "properties", "doubling", "itself"],
)
def test_a_schema_that_says_too_much_is_refused(schema: Any) -> None:
    with pytest.raises(GrammarError):
        schema_grammar(schema)


def test_a_grammar_of_the_callers_own_is_passed_on_within_bounds() -> None:
    assert constraint_grammar(Constraint(kind="gbnf", source='root ::= "a"')) == b'root ::= "a"'
    for source in ("", " \n", "root ::= \0", "x" * (MAX_BYTES + 1)):
        with pytest.raises(BadRequestError) as refused:
            constraint_grammar(Constraint(kind="gbnf", source=source))
        assert refused.value.param == "grammar"
