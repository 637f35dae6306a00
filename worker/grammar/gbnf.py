"""GBNF's spelling: rules, literals, sets of characters, repetitions.

The language: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
"""

import json
from collections.abc import Iterable
from typing import Any

from worker.grammar.errors import GrammarError

MAX_REPEATS = 2000  # llama.cpp's own limit
MAX_BYTES = 256 * 1024

Ranges = list[tuple[int, int]]
"""Code points from … to, sorted, apart from each other."""

LAST_CODE_POINT = 0x10FFFF


class Rules:
    """A grammar in the making."""

    def __init__(self) -> None:
        self._rules: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._bytes = 0

    def reserve(self) -> str:
        """A name for a rule that comes later: it may refer to itself."""
        name = f"r{len(self._rules)}"
        self._rules[name] = ""
        return name

    def define(self, name: str, body: str) -> str:
        """Raises GrammarError when the grammar becomes too large."""
        self._bytes += len(name) + len(body) + 6
        if self._bytes > MAX_BYTES:
            raise GrammarError("the grammar that it makes is too large")
        self._rules[name] = body
        return name

    def add(self, body: str) -> str:
        """The name of a rule with this body; equal bodies share one."""
        if body not in self._names:
            self._names[body] = self.define(self.reserve(), body)
        return self._names[body]

    def source(self, root: str) -> str:
        return "\n".join([f"root ::= {root}", *(f"{name} ::= {body}" for name, body in self._rules.items()), ""])


def literal(text: str) -> str:
    """Exactly `text`."""
    return '"' + "".join(_escaped(character, '"\\') for character in text) + '"'


def json_literal(value: Any) -> str:
    """Exactly the JSON of `value`, without spaces."""
    return literal(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def characters(ranges: Ranges) -> str:
    """One character of `ranges`."""
    return "[" + "".join(_code(low) if low == high else f"{_code(low)}-{_code(high)}" for low, high in ranges) + "]"


def repeated(item: str, least: int, most: int | None) -> str:
    """`item`, which must be one symbol or in brackets, that many times; most None: without limit."""
    if least > MAX_REPEATS or (most is not None and most > MAX_REPEATS):
        raise GrammarError(f"more than {MAX_REPEATS} repetitions are not supported")
    if most == 0:
        return '""'
    if (least, most) == (1, 1):
        return item
    plain = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
    if plain is not None:
        return item + plain
    return f"{item}{{{least}}}" if least == most else f"{item}{{{least},{'' if most is None else most}}}"


def either(bodies: Iterable[str]) -> str:
    """One of `bodies`, in brackets."""
    return "(" + " | ".join(dict.fromkeys(bodies)) + ")"


def without(ranges: Ranges, taken: Ranges) -> Ranges:
    """What is in `ranges` and not in `taken`."""
    left = ranges
    for low, high in taken:
        left = [
            part
            for start, end in left
            for part in ((start, min(end, low - 1)), (max(start, high + 1), end))
            if part[0] <= part[1]
        ]
    return left


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same code points, sorted and apart from each other."""
    result: Ranges = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result


def _escaped(character: str, special: str) -> str:
    if character in special:
        return "\\" + character
    return character if character.isprintable() else _code(ord(character))


def _code(point: int) -> str:
    if 0x30 <= point <= 0x39 or 0x41 <= point <= 0x5A or 0x61 <= point <= 0x7A:
        return chr(point)
    return f"\\x{point:02X}" if point <= 0xFF else f"\\u{point:04X}" if point <= 0xFFFF else f"\\U{point:08X}"
