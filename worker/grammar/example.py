"""A small text that meets what an answer must match, for the engine that has no model to write one."""

import json
from typing import Any

from shared.bodies.tools import Tool
from shared.errors import BadRequestError
from shared.job import Constraint, GenerateJob
from shared.tool_calls import ToolFormat
from worker.grammar.answer_rule import answer_rule, callable_tools
from worker.grammar.constraint import constraint_grammar, constraint_param
from worker.grammar.errors import GrammarError
from worker.grammar.schema_tree import TYPES, Schema, SchemaTree
from worker.grammar.schema_values import bounds, is_of, limits

_FORMATS = {
    "date": "2000-01-01",
    "time": "12:00:00Z",
    "date-time": "2000-01-01T12:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def answer_example(job: GenerateJob, form: ToolFormat) -> bytes | None:
    """The smallest call that a job demands, or the smallest JSON; None where it may say anything.

    Raises BadRequestError, see constraint_example.
    """
    answer_rule(job, form)  # refuses what the real engine refuses
    if job.tools and job.tool_choice.mode == "required":
        return _call_example(callable_tools(job)[0], form)
    return None if job.constraint is None else constraint_example(job.constraint)


def _call_example(tool: Tool, form: ToolFormat) -> bytes:
    try:
        arguments = _Example(tool.parameters).value()
    except (GrammarError, RecursionError):
        arguments = {}
    written = json.dumps({"name": tool.name, form.arguments_key: arguments or {}}, ensure_ascii=False)
    text = f"[{written}]" if form.is_array else written
    return f"{form.opener}{text}{form.closer}".encode(errors="replace")


def constraint_example(constraint: Constraint) -> bytes:
    """Raises BadRequestError for what has no grammar, for grammars of the caller's own and for patterns."""
    if constraint.kind == "json_object":
        return b"{}"
    constraint_grammar(constraint)  # refuses what the real engine refuses
    try:
        if constraint.kind == "gbnf":
            raise GrammarError("a grammar of the caller's own needs a real model")
        value = _Example(json.loads(constraint.source)).value()
        return json.dumps(value, ensure_ascii=False).encode(errors="replace")
    except (GrammarError, RecursionError) as error:
        message = f"The simulated engine has no answer of this form: {error}."
        raise BadRequestError(message, param=constraint_param(constraint)) from error


class _Example:
    """The value with as little in it as the schema allows."""

    def __init__(self, schema: Any):
        self._tree = SchemaTree(schema)

    def value(self) -> Any:
        return self._of(self._tree.root)

    def _of(self, schema: Any) -> Any:
        if schema is True or schema == {}:
            return None
        if "$ref" in schema:
            return self._of(self._tree.resolve(schema)[1])
        schema = self._tree.checked(schema)
        if alternatives := self._tree.alternatives(schema):
            return self._first(alternatives)
        if "const" in schema or "enum" in schema:
            values = [schema["const"]] if "const" in schema else schema["enum"]
            types = self._tree.types(schema) if "type" in schema else TYPES
            return next(value for value in values if any(is_of(kind, value) for kind in types))
        return self._of_type(self._tree.types(schema)[0], schema)

    def _first(self, alternatives: list[Any]) -> Any:
        """Of the first alternative that ends: a tree may come before its leaf."""
        for alternative in alternatives[:-1]:
            try:
                return self._of(alternative)
            except (GrammarError, RecursionError):
                continue
        return self._of(alternatives[-1])

    def _of_type(self, kind: str, schema: Schema) -> Any:
        if kind == "object":
            properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
            return {name: self._of(properties.get(name, others)) for name in schema.get("required", [])}
        if kind == "array":
            prefix = schema.get("prefixItems", [])
            more = max(0, bounds(schema, "minItems", "maxItems")[0] - len(prefix))
            return [self._of(item) for item in (*prefix, *[schema.get("items", True)] * more)]
        if kind == "string":
            if "pattern" in schema:
                raise GrammarError("a pattern needs a real model")
            least, _ = bounds(schema, "minLength", "maxLength")
            return "x" * least if least else _FORMATS.get(str(schema.get("format")), "")
        if kind in ("number", "integer"):
            low, high = limits(schema)
            return low if low is not None and low > 0 else high if high is not None and high < 0 else 0
        return True if kind == "boolean" else None
