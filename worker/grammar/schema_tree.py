"""A JSON schema as a tree: what it refers to, what its parts say together, what is refused."""

from typing import Any
from urllib.parse import unquote

from worker.grammar.errors import GrammarError

Schema = dict[str, Any]

TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
MAX_DEPTH = 64
MAX_PARTS = 20_000
MAX_STEPS = 10_000

# They could make an answer invalid that the grammar accepts; with the value beside them they say nothing.
_REFUSED: dict[str, Any] = {
    "not": False,
    "if": True,
    "then": True,
    "else": True,
    "contains": None,
    "patternProperties": {},
    "propertyNames": True,
    "minProperties": 0,
    "maxProperties": None,
    "dependentRequired": {},
    "dependentSchemas": {},
    "dependencies": {},
    "unevaluatedProperties": True,
    "unevaluatedItems": True,
    "uniqueItems": False,
    "$dynamicRef": None,
    "$recursiveRef": None,
}
_ANNOTATIONS = frozenset(
    {
        *("title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly"),
        *("discriminator", "$schema", "$id", "$comment", "$defs", "definitions", "$anchor"),
    }
)
_IMPLIED = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "string": ("pattern", "minLength", "maxLength"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""Keywords that leave no doubt which type is meant, where none is named."""


class SchemaTree:
    """Raises GrammarError for a schema that is too large."""

    def __init__(self, root: Any):
        _measure(root)
        self.root = root
        self._steps = 0

    def checked(self, schema: Schema) -> Schema:
        """`schema` with its allOf taken in and without annotations. Raises GrammarError for what is not supported."""
        self._steps += 1
        if self._steps > MAX_STEPS:  # references can make a small schema say the same thing very often
            raise GrammarError("it says too much")
        said = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
        parts = said.pop("allOf", [])
        if not isinstance(parts, list):
            raise GrammarError("allOf must be a list")
        for part in parts:
            said = _together(said, self.checked(self._followed(part)))
        for keyword, harmless in _REFUSED.items():
            if keyword in said and said[keyword] != harmless:
                raise GrammarError(f"{keyword} is not supported")
        return said

    def alternatives(self, schema: Schema) -> list[Any] | None:
        """The alternatives of anyOf or oneOf, each with what the schema says beside them; None if it has none."""
        keyword = next((keyword for keyword in ("anyOf", "oneOf") if keyword in schema), None)
        if keyword is None:
            return None
        beside = {key: value for key, value in schema.items() if key != keyword}
        found = schema[keyword]
        if not isinstance(found, list) or not found:
            raise GrammarError(f"{keyword} must be a list that is not empty")
        if not beside:
            return found
        return [_together(beside, self.checked(self._followed(alternative))) for alternative in found]

    def types(self, schema: Schema) -> tuple[str, ...]:
        """What a value may be."""
        named = schema.get("type")
        if named is None:
            implied = tuple(kind for kind, keywords in _IMPLIED.items() if any(key in schema for key in keywords))
            return implied or tuple(kind for kind in TYPES if kind != "integer")
        kinds = tuple(named) if isinstance(named, list) else (named,)
        if not kinds or any(kind not in TYPES for kind in kinds):
            raise GrammarError(f"type must be of {', '.join(TYPES)}")
        return kinds

    def resolve(self, schema: Schema) -> tuple[str | None, Any]:
        """What `$ref` refers to, with its pointer; no pointer if the schema says something beside it."""
        beside = {key: value for key, value in schema.items() if key != "$ref" and key not in _ANNOTATIONS}
        pointer = schema["$ref"]
        target = self._find(pointer)
        if not beside:
            return pointer, target
        return None, _together(beside, self.checked(self._followed(target)))

    def _followed(self, schema: Any, depth: int = 0) -> Schema:
        """`schema`, or what it refers to."""
        if schema is True:
            return {}
        if not isinstance(schema, dict) or depth > MAX_DEPTH:
            raise GrammarError("a schema must be an object or true, and not refer to itself alone")
        if "$ref" not in schema:
            return schema
        _, target = self.resolve(schema)
        return self._followed(target, depth + 1)

    def _find(self, pointer: Any) -> Any:
        """RFC 6901's JSON pointer as a fragment; nothing is ever fetched."""
        if not isinstance(pointer, str) or not (pointer == "#" or pointer.startswith("#/")):
            raise GrammarError("$ref must point into the schema itself, as in #/$defs/name")
        found = self.root
        for part in pointer.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, dict) and key in found:
                found = found[key]
            else:
                raise GrammarError("$ref points to nothing")
        return found


def _together(one: Schema, other: Schema) -> Schema:
    """What is valid by both. Raises GrammarError where that is not plain."""
    if _closes(one, other) or _closes(other, one):
        raise GrammarError("additionalProperties beside another part's properties is not supported")
    both = {**one, **other}
    for keyword in one.keys() & other.keys():
        mine, others = one[keyword], other[keyword]
        if mine == others:
            continue
        if keyword == "required" and isinstance(mine, list) and isinstance(others, list):
            both[keyword] = [*mine, *(name for name in others if name not in mine)]
        elif keyword == "properties" and isinstance(mine, dict) and isinstance(others, dict):
            if any(mine[name] != others[name] for name in mine.keys() & others.keys()):
                raise GrammarError("two different schemas for one of the properties are not supported")
            both[keyword] = {**mine, **others}
        else:
            raise GrammarError(f"two different values of {keyword} for one thing are not supported")
    return both


def _closes(one: Schema, other: Schema) -> bool:
    """Whether `one` says something of properties that only `other` names: it does not know them, so they are others."""
    mine, others = one.get("properties", {}), other.get("properties", {})
    is_plain = isinstance(mine, dict) and isinstance(others, dict)
    return is_plain and one.get("additionalProperties", True) is not True and bool(others.keys() - mine.keys())


def _measure(root: Any) -> None:
    """Without recursion: the schema may be as deep as its text is long."""
    parts, todo = 0, [(root, 0)]
    while todo:
        part, depth = todo.pop()
        parts += 1
        if parts > MAX_PARTS or depth > 2 * MAX_DEPTH:
            raise GrammarError("it is too large or nested too deeply")
        below = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        todo += [(item, depth + 1) for item in below]
