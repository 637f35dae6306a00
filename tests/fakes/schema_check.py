"""Whether a JSON value is valid by a schema: as much of the standard as the worker's grammars promise to keep."""

import re
from typing import Any

from worker.grammar.schema_tree import SchemaTree

_CLASSES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def is_valid(value: Any, schema: Any, root: Any = None) -> bool:
    """Raises GrammarError for references into nothing."""
    root = schema if root is None else root
    if schema is True or schema == {}:
        return True
    if schema is False:
        return False
    if "$ref" in schema and not is_valid(value, SchemaTree(root)._find(schema["$ref"]), root):
        return False
    rules = {
        "allOf": lambda part: all(is_valid(value, one, root) for one in part),
        "anyOf": lambda part: any(is_valid(value, one, root) for one in part),
        "oneOf": lambda part: any(is_valid(value, one, root) for one in part),
        "const": lambda part: value == part and type(value) is type(part),
        "enum": lambda part: value in part,
        "type": lambda part: any(_is_of(kind, value) for kind in ([part] if isinstance(part, str) else part)),
    }
    if not all(rules[key](part) for key, part in schema.items() if key in rules):
        return False
    if isinstance(value, dict):
        return _object_is_valid(value, schema, root)
    if isinstance(value, list):
        return _array_is_valid(value, schema, root)
    if isinstance(value, str):
        return _string_is_valid(value, schema)
    return isinstance(value, bool) or value is None or _number_is_valid(value, schema)


def _is_of(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _CLASSES[kind])


def _object_is_valid(value: dict[str, Any], schema: Any, root: Any) -> bool:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    return all(name in value for name in schema.get("required", [])) and all(
        is_valid(item, properties.get(name, others), root) for name, item in value.items()
    )


def _array_is_valid(value: list[Any], schema: Any, root: Any) -> bool:
    prefix = schema.get("prefixItems", [])
    items = schema.get("items", True)
    return (
        schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        and all(is_valid(item, one, root) for item, one in zip(value, prefix, strict=False))
        and all(is_valid(item, items, root) for item in value[len(prefix) :])
    )


def _string_is_valid(value: str, schema: Any) -> bool:
    formats = {"date": r"\d{4}-\d\d-\d\d", "uuid": r"[0-9a-f-]{36}", "date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*"}
    return (
        schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        and ("pattern" not in schema or re.search(schema["pattern"], value, re.ASCII) is not None)
        and re.fullmatch(formats.get(schema.get("format", ""), "(?s:.*)"), value) is not None
    )


def _number_is_valid(value: float, schema: Any) -> bool:
    return (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )
