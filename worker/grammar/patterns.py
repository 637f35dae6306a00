"""Regular expressions of JSON schemas, as GBNF for the JSON string that holds a match.

Python's own parser reads them. What is not regular, or means another thing in JavaScript's dialect, is refused.
"""

import re
from collections.abc import Iterable
from re import _constants as ops  # type: ignore[attr-defined]  # typeshed leaves re's own parser out
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from worker.grammar.errors import GrammarError
from worker.grammar.gbnf import (
    LAST_CODE_POINT,
    Ranges,
    characters,
    either,
    literal,
    merged,
    repeated,
    without,
)

MAX_LENGTH = 1000

_CONTROLS: Ranges = [(0, 0x1F), (0x7F, 0x7F)]
_QUOTE, _BACKSLASH = 0x22, 0x5C
_SHORT = {0x08: "b", 0x09: "t", 0x0A: "n", 0x0C: "f", 0x0D: "r", _QUOTE: '"', _BACKSLASH: "\\"}
_SURROGATES: Ranges = [(0xD800, 0xDFFF)]
ALL: Ranges = [(0, 0xD7FF), (0xE000, LAST_CODE_POINT)]
_DIGITS: Ranges = [(0x30, 0x39)]
_WORDS: Ranges = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
_SPACES: Ranges = [(0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x2028, 0x2029), (0xFEFF, 0xFEFF)]
_CATEGORIES = {
    ops.CATEGORY_DIGIT: _DIGITS,
    ops.CATEGORY_NOT_DIGIT: without(ALL, _DIGITS),
    ops.CATEGORY_WORD: _WORDS,
    ops.CATEGORY_NOT_WORD: without(ALL, _WORDS),
    ops.CATEGORY_SPACE: _SPACES,
    ops.CATEGORY_NOT_SPACE: without(ALL, _SPACES),
}


def pattern_string(pattern: str) -> str:
    """A JSON string whose whole text matches `pattern`, which must begin with ^ and end with $. Raises GrammarError."""
    if len(pattern) > MAX_LENGTH:
        raise GrammarError(f"a pattern of more than {MAX_LENGTH} characters is not supported")
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise GrammarError("a pattern must begin with ^ and end with $")
    try:
        parsed = parser.parse(pattern[1:-1])
        return f'"\\"" {_sequence(parsed)} "\\""'
    except (re.error, OverflowError, RecursionError) as error:
        raise GrammarError("a pattern is not a regular expression that is supported") from error


def json_character(ranges: Ranges) -> str:
    """One character of `ranges` as it stands in a JSON string; those that need \\u escapes are left out."""
    plain = without(ranges, [*_CONTROLS, (_QUOTE, _QUOTE), (_BACKSLASH, _BACKSLASH), *_SURROGATES])
    bodies = [characters(plain)] if plain else []
    bodies += [
        literal("\\" + short) for code, short in _SHORT.items() if any(low <= code <= high for low, high in ranges)
    ]
    if not bodies:
        raise GrammarError("a pattern asks for characters that are not supported")
    return bodies[0] if len(bodies) == 1 else either(bodies)


def _sequence(parsed: Iterable[tuple[Any, Any]]) -> str:
    return " ".join(_item(op, argument) for op, argument in parsed) or '""'


def _item(op: Any, argument: Any) -> str:
    if op is ops.LITERAL:
        return json_character([(argument, argument)])
    if op is ops.NOT_LITERAL:
        return json_character(without(ALL, [(argument, argument)]))
    if op is ops.ANY:
        return json_character(without(ALL, [(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)]))
    if op is ops.IN:
        return json_character(_set(argument))
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
        least, most, inner = argument
        return repeated(f"({_sequence(inner)})", least, None if most is ops.MAXREPEAT else most)
    if op is ops.SUBPATTERN:
        _, add_flags, del_flags, inner = argument
        if not add_flags and not del_flags:
            return f"({_sequence(inner)})"
    if op is ops.BRANCH:
        return either(_sequence(branch) for branch in argument[1])
    raise GrammarError("a pattern uses more than characters, sets, groups, | and repetitions")


def _set(members: list[tuple[Any, Any]]) -> Ranges:
    ranges: Ranges = []
    is_negated = False
    for op, argument in members:
        if op is ops.NEGATE:
            is_negated = True
        elif op is ops.LITERAL:
            ranges.append((argument, argument))
        elif op is ops.RANGE:
            ranges.append(argument)
        elif op is ops.CATEGORY:
            ranges += _CATEGORIES[argument]
    ranges = merged(ranges)
    return without(ALL, ranges) if is_negated else ranges
