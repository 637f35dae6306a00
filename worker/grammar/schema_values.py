"""What a JSON schema says about the types and the sizes of values."""

from typing import Any

from worker.grammar.errors import GrammarError
from worker.grammar.integers import MAX_DIGITS
from worker.grammar.schema_tree import Schema


def is_of(kind: str, value: Any) -> bool:
    """Whether a JSON value is of one of JSON schema's types."""
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    classes: dict[str, Any] = {"object": dict, "array": list, "string": str, "number": (int, float), "null": type(None)}
    return kind in classes and isinstance(value, classes[kind])


def bounds(schema: Schema, least: str, most: str) -> tuple[int, int | None]:
    """Two keywords that count something; None: without limit. Raises GrammarError."""
    low, high = schema.get(least, 0), schema.get(most)
    if not is_of("integer", low) or low < 0 or not (high is None or (is_of("integer", high) and high >= low)):
        raise GrammarError(f"{least} and {most} must be whole numbers from 0, the second not below the first")
    return int(low), None if high is None else int(high)


def limits(schema: Schema) -> tuple[int | None, int | None]:
    """The smallest and the largest whole number that the schema allows; None: without limit. Raises GrammarError."""
    lows: list[int] = []
    highs: list[int] = []
    for key, found in (("minimum", lows), ("exclusiveMinimum", lows), ("maximum", highs), ("exclusiveMaximum", highs)):
        if key in schema:
            if not is_of("number", schema[key]) or abs(schema[key]) >= 10**MAX_DIGITS:
                raise GrammarError(f"{key} must be a number of at most {MAX_DIGITS} digits")
            bound = schema[key]
            whole = -int(-bound // 1) if found is lows else int(bound // 1)
            if key.startswith("exclusive") and whole == bound:
                whole += 1 if found is lows else -1
            found.append(whole)
    return max(lows, default=None), min(highs, default=None)
