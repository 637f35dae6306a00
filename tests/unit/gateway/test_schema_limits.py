import time
from typing import Any

import pytest

from gateway.schema_limits import SchemaRefusedError, check_schema

TREE = {
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "name": {"type": "string"}}}},
    "$ref": "#/$defs/node",
}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"a": {"type": "string", "maxLength": 1000}}, "additionalProperties": False},
        {"properties": {f"p{number}": {"type": "integer"} for number in range(256)}},
        {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}},
        {"enum": [{"$ref": "http://data.example"}, {"minItems": 10_000}]},
        {"type": "array", "items": {"$ref": "#"}},
        {"properties": {"a/b": {"type": "string"}, "c": {"$ref": "#/properties/a~1b"}}},
        {"$defs": {"a b": {"type": "string"}}, "$ref": "#/$defs/a%20b"},
        {"prefixItems": [{"type": "string"}, {"$ref": "#/prefixItems/0"}]},
        {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}]},
        TREE,
        nested(30),
    ],
)
def test_an_ordinary_schema_passes(schema: dict[str, Any]) -> None:
    check_schema(schema)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ([], "JSON object"),
        ("x", "JSON object"),
        (nested(33), "levels"),
        ({"description": "x" * 17_000}, "bytes"),
        ({"properties": {f"p{number}": {} for number in range(257)}}, "properties"),
        ({"minItems": 1001}, "minItems"),
        ({"maxLength": -1}, "maxLength"),
        ({"pattern": "^(a+)+$"}, "pattern"),
        ({"patternProperties": {"^a$": {}}}, "patternProperties"),
        ({"default": {"maxLength": 10**9}, "properties": {"a": {"$ref": "#/default"}}}, "maxLength"),
        ({"enum": [{"items": {"pattern": "^(a+)+$"}}], "not": {"$ref": "#/enum/0/items"}}, "pattern"),
        ({"$ref": "https://example.com/schema"}, "must point into the schema"),
        ({"$ref": "other.json#/a"}, "must point into the schema"),
        ({"$ref": 7}, "must point into the schema"),
        ({"$ref": "#/$defs/nothing"}, "points at nothing"),
        ({"$ref": "#"}, "leads to itself"),
        ({"anyOf": [{"type": "string"}, {"$ref": "#"}]}, "leads to itself"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "leads to itself"),
        ({"$defs": {"%61": {}, "a": {"$ref": "#/$defs/%61"}}, "$ref": "#/$defs/a"}, "leads to itself"),
        ({"properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "finite"),
        ({"type": "array", "minItems": 1, "items": {"$ref": "#"}}, "finite"),
    ],
)
def test_a_hostile_schema_is_refused_with_its_reason(schema: Any, reason: str) -> None:
    with pytest.raises(SchemaRefusedError, match=reason):
        check_schema(schema)


def test_references_that_double_at_every_step_are_refused_quickly() -> None:
    chain = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    started = time.process_time()

    with pytest.raises(SchemaRefusedError, match="repeats too much"):
        check_schema({"$defs": {**chain, "d40": {"type": "string"}}, "$ref": "#/$defs/d0"})

    assert time.process_time() - started < 5  # without the limit it would take years


def test_a_long_chain_of_references_does_not_exhaust_the_stack() -> None:
    links = {f"d{n}": {"properties": {"x": {"$ref": f"#/$defs/d{n + 1}"}}, "required": ["x"]} for n in range(180)}

    check_schema({"$defs": {**links, "d180": {}}, "$ref": "#/$defs/d0"})


def test_a_reference_into_data_is_followed_safely() -> None:
    with pytest.raises(SchemaRefusedError):
        check_schema({"const": {"$ref": "http://x"}, "properties": {"a": {"$ref": "#/const"}}})
