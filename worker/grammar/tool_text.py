"""Tool calls as GBNF, in the form in which a model family writes them, with arguments by each tool's schema."""

from collections.abc import Collection, Sequence

from shared.bodies.tools import Tool
from shared.tool_calls import TAG, ToolFormat
from worker.grammar.errors import GrammarError
from worker.grammar.gbnf import Rules, either, json_literal, literal, repeated
from worker.grammar.json_schema import schema_rule
from worker.grammar.json_text import JsonText
from worker.grammar.schema_tree import Schema

MAX_CALLS = 32
"""In one answer: a model that does not know when to stop must not call for ever."""


class ToolText:
    """Adds to `rules` what calls of `tools` look like in `form`.

    With `has_schemas` false arguments are any JSON object, but for tools that are strict. Raises GrammarError for a
    strict tool whose schema makes no grammar; the arguments of others are any JSON object then.
    """

    def __init__(self, rules: Rules, form: ToolFormat, tools: Sequence[Tool], *, has_schemas: bool = True):
        self._rules = rules
        self._json = JsonText(rules)
        self._form = form
        self._has_schemas = has_schemas
        self._object = self._call_object(tools)

    def calls(self, *, most: int) -> str:
        """One to `most` calls and all that stands around them."""
        return f"{self._opener()} {self.calls_after_opener(most=most)}"

    def calls_after_opener(self, *, most: int) -> str:
        """The same without the first opener."""
        space, object_, closer = self._space(), self._object, self._form.closer
        if self._form.is_array:
            more = repeated(f'("," {space} {object_} {space})', 0, most - 1)
            return self._rules.add(f'{space} "[" {space} {object_} {space} {more} "]"')
        if not closer:  # its templates take one call at most
            return self._rules.add(f"{space} {object_}")
        first = f"{space} {object_} {space} {literal(closer)}"
        more = repeated(f"({space} {self._opener()} {first})", 0, most - 1)
        return self._rules.add(f"{first} {more}")

    def _opener(self) -> str:
        return literal(self._form.opener) if self._form.opener else f"{literal(TAG)}?"

    def _call_object(self, tools: Sequence[Tool]) -> str:
        space, key = self._space(), json_literal(self._form.arguments_key)
        endings = {
            tool.name: f'"\\"" "," {space} {key} ":" {space} {self._arguments(tool)} {space} "}}"' for tool in tools
        }
        return self._rules.add(f'"{{" {space} {json_literal("name")} ":" {space} "\\"" {self._named(endings)}')

    def _named(self, endings: dict[str, str]) -> str:
        """One of the names and what follows it. What names have in common is said once: llama.cpp tries every
        alternative with every token."""
        common = _common_beginning(endings)
        begun = f"{literal(common)} " if common else ""
        if len(endings) == 1:
            return begun + endings[common]
        branches: dict[str, dict[str, str]] = {}
        for name, ending in endings.items():
            rest = name[len(common) :]
            branches.setdefault(rest[:1], {})[rest] = ending
        return begun + either(self._rules.add(self._named(branch)) for branch in branches.values())

    def _arguments(self, tool: Tool) -> str:
        schema = _of_object(tool.parameters)
        if not (self._has_schemas or tool.strict):
            return self._json.object()
        try:
            schema_rule(schema, Rules())  # apart, for what is refused halfway leaves rules behind
            return schema_rule(schema, self._rules)
        except GrammarError as error:
            if tool.strict:
                raise GrammarError(f"{error}, in the strict tool '{tool.name}'") from error
            return self._json.object()

    def _space(self) -> str:
        return self._json.space()


def _common_beginning(names: Collection[str]) -> str:
    first, last = min(names), max(names)
    return next(
        (first[:place] for place, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), first
    )


def _of_object(parameters: Schema) -> Schema:
    """The schema of arguments; one that names no property means a function without any."""
    schema = parameters if parameters.keys() & {"type", "$ref"} else {**parameters, "type": "object"}
    if schema.get("properties") == {} and "additionalProperties" not in schema:
        return {**schema, "additionalProperties": False}
    return schema
