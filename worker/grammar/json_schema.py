"""JSON schema to GBNF: what the grammar accepts is valid by the schema, though not all that is valid is accepted.

Objects have their known properties in the schema's order and no others, unless no property is named at all; numbers are
bounded only as far as a grammar can count. Annotations are ignored; a keyword that would make an answer invalid and is
not supported is refused by name.
"""

from collections.abc import Callable
from typing import Any

from worker.grammar.errors import GrammarError
from worker.grammar.gbnf import Rules, either, json_literal, repeated
from worker.grammar.integers import MAX_DIGITS, integers
from worker.grammar.json_text import FORMATS, SPACE, JsonText
from worker.grammar.patterns import ALL, json_character, pattern_string
from worker.grammar.schema_tree import TYPES, Schema, SchemaTree
from worker.grammar.schema_values import bounds, is_of, limits

ENDS = (1 - 10**MAX_DIGITS, 10**MAX_DIGITS - 1)


def schema_rule(schema: Any, rules: Rules) -> str:
    """One symbol, or a body in brackets, for JSON texts that are valid by `schema`. Raises GrammarError."""
    try:
        return _Converter(schema, rules).root()
    except RecursionError as error:
        raise GrammarError("it is nested too deeply") from error


class _Converter:
    def __init__(self, schema: Any, rules: Rules):
        self._tree = SchemaTree(schema)
        self._rules = rules
        self._json = JsonText(rules)
        self._by_pointer: dict[str, str] = {}
        self._by_type: dict[str, Callable[[Schema], str]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "number": self._number,
            "integer": self._integer,
            "boolean": lambda _: '("true" | "false")',
            "null": lambda _: '"null"',
        }

    def root(self) -> str:
        return self._value(self._tree.root)

    def _value(self, schema: Any) -> str:
        """One symbol, or a body in brackets, for the values that are valid by `schema`."""
        if schema is True or schema == {}:
            return self._json.value()
        if not isinstance(schema, dict):
            raise GrammarError("a schema must be an object or true")
        if "$ref" in schema:
            return self._reference(schema)
        schema = self._tree.checked(schema)
        if (alternatives := self._tree.alternatives(schema)) is not None:
            return self._rules.add(either(self._value(alternative) for alternative in alternatives))
        if "const" in schema or "enum" in schema:
            return self._constant(schema)
        bodies = [self._by_type[kind](schema) for kind in self._tree.types(schema)]
        return self._rules.add(bodies[0] if len(bodies) == 1 else either(bodies))

    def _reference(self, schema: Schema) -> str:
        pointer, target = self._tree.resolve(schema)
        if pointer is None:
            return self._value(target)
        if pointer not in self._by_pointer:
            name = self._by_pointer[pointer] = self._rules.reserve()
            self._rules.define(name, self._value(target))
        return self._by_pointer[pointer]

    def _constant(self, schema: Schema) -> str:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        if beside := schema.keys() - {"type", "const" if "const" in schema else "enum"}:
            raise GrammarError(f"{sorted(beside)[0]} beside enum or const: leave out the values that it forbids")
        if not isinstance(values, list) or not values:
            raise GrammarError("enum must be a list that is not empty")
        types = self._tree.types(schema) if "type" in schema else TYPES
        fitting = [value for value in values if any(is_of(kind, value) for kind in types)]
        if not fitting:
            raise GrammarError("no value of enum or const has the type that is asked for")
        return self._rules.add(either(json_literal(value) for value in fitting))

    def _object(self, schema: Schema) -> str:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        others = schema.get("additionalProperties", True)
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise GrammarError("properties must be an object and required a list")
        missing = [name for name in required if name not in properties]
        if missing and others is False:
            raise GrammarError("required names a property that additionalProperties forbids")
        properties = {**properties, **dict.fromkeys(missing, others)}
        if properties:
            return self._members(properties, set(required))
        if others is False:
            return f'"{{" {SPACE} "}}"'
        member = f'{self._json.string()} ":" {self._json.space()} {self._value(others)}'
        return self._list(self._rules.add(member), 0, None, "{", "}")

    def _members(self, properties: Schema, required: set[str]) -> str:
        """In order. `rest` is what may follow a member, `start` what may stand where no member is yet."""
        space = self._json.space()
        rest, start = f'{space} "}}"', '"}"'
        for name, schema in reversed(properties.items()):
            member = self._rules.add(f'{json_literal(name)} ":" {space} {self._value(schema)}')
            with_comma = f'"," {space} {member} {rest}'
            first = f"{member} {rest}"
            if name not in required:
                with_comma, first = f"{with_comma} | {rest}", f"{first} | {start}"
            rest, start = self._rules.add(with_comma), self._rules.add(first)
        return f'"{{" {space} {start}'

    def _array(self, schema: Schema) -> str:
        prefix = schema.get("prefixItems", [])
        items = schema.get("items", True)
        if isinstance(items, list):  # how drafts before 2020-12 wrote it
            prefix, items = items, schema.get("additionalItems", True)
        least, most = bounds(schema, "minItems", "maxItems")
        if not prefix:
            if items is False or most == 0:
                return f'"[" {self._json.space()} "]"'
            return self._list(self._value(items), least, most, "[", "]")
        if most is not None and most < len(prefix):
            raise GrammarError("maxItems below the number of prefixItems is not supported")
        fixed = f' "," {self._json.space()} '.join(self._value(item) for item in prefix)
        more = max(0, least - len(prefix))
        if more:
            following = f'("," {self._json.space()} {self._value(items)})'
            fixed += " " + repeated(following, more, more)
        return f'"[" {self._json.space()} {fixed} {self._json.space()} "]"'

    def _list(self, item: str, least: int, most: int | None, opening: str, closing: str) -> str:
        space = self._json.space()
        following = repeated(f'("," {space} {item})', max(0, least - 1), None if most is None else most - 1)
        items = f"({item} {following} {space})" + ("" if least else "?")
        return f'"{opening}" {space} {items} "{closing}"'

    def _string(self, schema: Schema) -> str:
        least, most = bounds(schema, "minLength", "maxLength")
        has_length = "minLength" in schema or "maxLength" in schema
        if "pattern" in schema:
            if has_length or not isinstance(schema["pattern"], str):
                raise GrammarError("pattern together with minLength or maxLength is not supported")
            return pattern_string(schema["pattern"])
        if (found := FORMATS.get(str(schema.get("format")))) and not has_length:
            return found
        if not has_length:
            return self._json.string()
        return f'"\\"" {repeated(self._rules.add(json_character(ALL)), least, most)} "\\""'

    def _integer(self, schema: Schema) -> str:
        if schema.get("multipleOf", 1) != 1:
            raise GrammarError("multipleOf is not supported")
        low, high = limits(schema)
        return integers(low, high) if (low, high) != (None, None) else self._json.integer()

    def _number(self, schema: Schema) -> str:
        """Bounds are kept at whole numbers inside of them, and every fraction between those."""
        if "multipleOf" in schema:
            raise GrammarError("multipleOf is not supported")
        keys = schema.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
        if not keys:
            return self._json.number()
        fraction = f'"." {repeated("[0-9]", 1, MAX_DIGITS)}'
        if keys == {"exclusiveMinimum"} and schema["exclusiveMinimum"] == 0:
            return either([f"{integers(1, None)} ({fraction})?", '"0." "0"{0,8} [1-9] [0-9]{0,8}'])
        low, high = (bound if bound is not None else end for bound, end in zip(limits(schema), ENDS, strict=True))
        parts = [integers(low, high)]
        if high > max(low, 0):
            parts.append(f"{integers(max(low, 0), high - 1)} {fraction}")
        if low < min(high, 0):
            parts.append(f'"-" {integers(max(0, -high), -low - 1)} {fraction}')
        return either(parts)
