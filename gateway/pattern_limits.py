"""The regular expressions that a schema's `pattern` may use: those that become a small grammar without backtracking."""

import re
from typing import NamedTuple

MAX_REPETITIONS = 1000
MAX_LENGTH = 512
MAX_GROUPS_DEEP = 8

CLASS = re.compile(r"\[\^?(?:[^\[\]\\]|\\.)+\]")
ESCAPE = re.compile(r"\\(?:[dDwWsSnrtfv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^\w])")
QUANTIFIER = re.compile(r"[*+?]|\{(\d{1,6})(,(\d{0,6}))?\}")


class PatternRefusedError(ValueError):
    """The message is one sentence for the caller."""


class _Part(NamedTuple):
    """`times`: how often one of its characters may be repeated; `is_fixed`: begins with a character, never repeated."""

    times: int
    is_fixed: bool


def check_pattern(pattern: str) -> None:
    """Raises PatternRefusedError unless `pattern` is anchored at both ends and of the subset.

    The subset: characters, classes, groups, alternatives and repetitions; a group that is repeated begins with
    exactly one character, so that no text can be read in many ways; nested repetitions multiply to 1,000 at most.
    """
    if len(pattern) > MAX_LENGTH:
        raise PatternRefusedError(f"it may be {MAX_LENGTH} characters long.")
    if not (pattern.startswith("^") and pattern.endswith("$") and not pattern.endswith("\\$")):
        raise PatternRefusedError("it must begin with ^ and end with $.")
    inner = pattern[1:-1]
    _, end = _alternatives(inner, 0, 0)
    if end != len(inner):
        raise PatternRefusedError("its brackets do not match.")


def _alternatives(text: str, at: int, depth: int) -> tuple[_Part, int]:
    if depth > MAX_GROUPS_DEEP:
        raise PatternRefusedError(f"its groups may be {MAX_GROUPS_DEEP} levels deep.")
    part, at = _sequence(text, at, depth)
    while text[at : at + 1] == "|":
        other, at = _sequence(text, at + 1, depth)
        part = _Part(max(part.times, other.times), part.is_fixed and other.is_fixed)
    return part, at


def _sequence(text: str, at: int, depth: int) -> tuple[_Part, int]:
    whole: _Part | None = None
    while at < len(text) and text[at] not in "|)":
        part, at = _repeated(text, at, depth)
        whole = part if whole is None else _Part(max(whole.times, part.times), whole.is_fixed)
    return whole or _Part(1, False), at


def _repeated(text: str, at: int, depth: int) -> tuple[_Part, int]:
    part, after = _atom(text, at, depth)
    quantifier = QUANTIFIER.match(text, after)
    if not quantifier:
        return part, after
    if text[at] == "(" and not part.is_fixed:
        raise PatternRefusedError("a group that is repeated must begin with one character that is not.")
    most = max(int(quantifier[1] or 1), int(quantifier[3] or 1))
    if most * part.times > MAX_REPETITIONS:
        raise PatternRefusedError(f"its repetitions may come to {MAX_REPETITIONS}.")
    if QUANTIFIER.match(text, quantifier.end()):
        raise PatternRefusedError("a repetition cannot be repeated.")
    return _Part(most * part.times, False), quantifier.end()


def _atom(text: str, at: int, depth: int) -> tuple[_Part, int]:
    one = _Part(1, True)
    if text[at] == "(":
        start = at + 3 if text.startswith("(?:", at) else at + 1
        part, end = _alternatives(text, start, depth + 1)
        if text[end : end + 1] != ")":
            raise PatternRefusedError("its brackets do not match.")
        return part, end + 1
    if text[at] in "[\\":
        found = (CLASS if text[at] == "[" else ESCAPE).match(text, at)
        if not found:
            raise PatternRefusedError("it has a class or an escape that is not supported.")
        return one, found.end()
    if text[at] in "*+?{}^$]":
        raise PatternRefusedError(f"{text[at]} is not supported where it stands; escape it with a backslash.")
    return one, at + 1
