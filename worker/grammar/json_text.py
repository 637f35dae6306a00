"""JSON itself as GBNF: values, strings, numbers, the space between them."""

from worker.grammar.gbnf import Rules, either, repeated
from worker.grammar.integers import MAX_DIGITS

# One space, or a new line and its indentation: enough for pretty printing, too little for running away in spaces.
SPACE = '(" " | "\\n" [ \\t]{0,20})?'

_CHARACTER = '[^"\\\\\\x00-\\x1F\\x7F] | "\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F]{4})'
_DATE = '[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8])'
_TIME = (
    '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})? ("Z" | [+-] [01] [0-9] ":" [0-5] [0-9])'
)
_UUID = '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12}'

FORMATS = {
    "date": f'"\\"" {_DATE} "\\""',
    "time": f'"\\"" {_TIME} "\\""',
    "date-time": f'"\\"" {_DATE} "T" {_TIME} "\\""',
    "uuid": f'"\\"" {_UUID} "\\""',
}
"""Strings of JSON schema's formats that a grammar can hold to. A date's day is at most 28, which every month has."""


class JsonText:
    """The rules of JSON, each added to a grammar when it is first used."""

    def __init__(self, rules: Rules):
        self._rules = rules
        self._value: str | None = None
        self._object: str | None = None

    def space(self) -> str:
        return self._rules.add(SPACE)

    def string(self) -> str:
        return self._rules.add(f'"\\"" {self._rules.add(_CHARACTER)}* "\\""')

    def integer(self) -> str:
        return self._rules.add(f'"-"? {self._natural()}')

    def number(self, *, is_negative: bool = True) -> str:
        sign = '"-"? ' if is_negative else ""
        fraction = f'("." {repeated("[0-9]", 1, MAX_DIGITS)})?'
        return self._rules.add(f"{sign}{self._natural()} {fraction} ([eE] [+-]? [0-9]{{1,2}})?")

    def value(self) -> str:
        """Any JSON value."""
        if self._value is None:
            self._value = self._rules.reserve()
            self._rules.define(
                self._value,
                either(
                    (
                        self.object(),
                        self._list("[", self._value, "]"),
                        self.string(),
                        self.number(),
                        '"true"',
                        '"false"',
                        '"null"',
                    )
                ),
            )
        return self._value

    def object(self) -> str:
        """Any JSON object."""
        if self._object is None:
            member = self._rules.reserve()
            self._object = self._rules.add(self._list("{", member, "}"))
            self._rules.define(member, f'{self.string()} ":" {self.space()} {self.value()}')
        return self._object

    def _natural(self) -> str:
        return self._rules.add(f'"0" | [1-9] {repeated("[0-9]", 0, MAX_DIGITS - 1)}')

    def _list(self, opening: str, item: str, closing: str) -> str:
        space = self.space()
        return f'"{opening}" {space} ({item} ("," {space} {item})* {space})? "{closing}"'
