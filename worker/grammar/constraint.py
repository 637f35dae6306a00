"""The grammar of a job's constraint, made once for each."""

import json
from functools import lru_cache
from typing import Literal

from shared.errors import BadRequestError
from shared.job import Constraint
from worker.grammar.errors import GrammarError
from worker.grammar.gbnf import MAX_BYTES, Rules
from worker.grammar.json_schema import schema_rule
from worker.grammar.json_text import JsonText

MAX_SCHEMA_BYTES = 64 * 1024
MAX_KEPT = 256


def constraint_param(constraint: Constraint) -> str:
    """The parameter of the request that the constraint came in."""
    return "grammar" if constraint.kind == "gbnf" else "response_format"


def constraint_grammar(constraint: Constraint) -> bytes:
    """GBNF whose root rule is `root`. Raises BadRequestError for what cannot be turned into one."""
    grammar, complaint = _converted(constraint.kind, constraint.source)
    if complaint:
        raise BadRequestError(complaint, param=constraint_param(constraint))
    return grammar


def constraint_rule(constraint: Constraint, rules: Rules) -> str:
    """A symbol for the JSON of a constraint inside a larger grammar. Raises GrammarError for what makes none."""
    if constraint.kind == "json_object":
        return JsonText(rules).object()
    return schema_rule(json.loads(constraint.source), rules)


@lru_cache(maxsize=MAX_KEPT)
def _converted(kind: Literal["json_object", "json_schema", "gbnf"], source: str) -> tuple[bytes, str]:
    """The grammar, or why there is none."""
    try:
        if kind == "gbnf":
            return _checked(source), ""
        if len(source) > MAX_SCHEMA_BYTES:
            raise GrammarError(f"it is longer than {MAX_SCHEMA_BYTES} characters")
        rules = Rules()
        return rules.source(constraint_rule(Constraint(kind=kind, source=source), rules)).encode(), ""
    except GrammarError as error:
        return b"", f"The {'grammar' if kind == 'gbnf' else 'JSON schema'} is not supported: {error}."
    except (ValueError, RecursionError, OverflowError):
        return b"", "The JSON schema is not valid JSON, or holds a number or a text that is not supported."


def _checked(source: str) -> bytes:
    grammar = source.encode(errors="replace")
    if not grammar.strip():
        raise GrammarError("it is empty")
    if len(grammar) > MAX_BYTES or b"\0" in grammar:
        raise GrammarError(f"it has more than {MAX_BYTES} bytes, or a NUL")
    return grammar
