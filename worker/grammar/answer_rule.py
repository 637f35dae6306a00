"""What a job's answer must match, and from where on: its constraint, its tools, or both."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson

from shared.bodies.tools import Tool
from shared.errors import BadRequestError
from shared.job import Constraint, GenerateJob
from shared.tool_calls import TAG, ToolFormat
from worker.grammar.constraint import constraint_grammar, constraint_param, constraint_rule
from worker.grammar.errors import GrammarError
from worker.grammar.gbnf import Rules, either
from worker.grammar.tool_text import MAX_CALLS, ToolText

MAX_KEPT = 64
SPACE = rb"(?: |\n[ \t]{0,20})?"
"""worker.grammar.json_text's, as a regular expression."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """From where on a rule holds: when the answer's text ends with a match of `pattern`.

    `reach`: how many bytes before its end a match may begin. `is_whole`: the rule describes the answer from its first
    token on, the match included; else what comes behind the match.
    """

    pattern: re.Pattern[bytes]
    reach: int
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """`grammar` is GBNF whose root rule is `root`; `trigger` None: it holds from the first token on.

    Without a grammar nothing may follow the trigger: it must not come about. `param`: whose fault a bad grammar is.
    """

    grammar: bytes
    param: str
    trigger: Trigger | None = None


def answer_rule(job: GenerateJob, form: ToolFormat) -> AnswerRule | None:
    """The rule of a job whose model writes tool calls in `form`; None where anything may be said.

    A `response_format` is for the text, tools are for the calls: where a call is required the one has no part, where
    the model may choose it chooses between both. Raises BadRequestError for what makes no grammar.
    """
    constraint = job.constraint
    if not job.tools or (constraint is not None and job.tool_choice.mode == "none"):
        return None if constraint is None else AnswerRule(constraint_grammar(constraint), constraint_param(constraint))
    if job.tool_choice.mode == "none":
        return AnswerRule(b"", "tools", _trigger(form, job.tools, is_forbidden=True))
    tools = callable_tools(job)
    if constraint is not None and job.tool_choice.mode == "auto":
        constraint_grammar(constraint)  # refuses it in its own name
        if constraint.kind == "gbnf":
            raise BadRequestError("An answer follows a grammar or calls tools, not both.", param="grammar")
        return AnswerRule(_grammar(tools, job, form, constraint), "tools")
    if job.tool_choice.mode == "required":
        return AnswerRule(_grammar(tools, job, form), "tools")
    return AnswerRule(_grammar(tools, job, form, is_after_opener=True), "tools", _trigger(form, tools))


def callable_tools(job: GenerateJob) -> tuple[Tool, ...]:
    """The tools that the answer may call."""
    choice = job.tool_choice
    names = (choice.name,) if choice.name is not None else choice.allowed
    return tuple(tool for tool in job.tools if not names or tool.name in names)


def most_calls(job: GenerateJob) -> int:
    """Who names a tool means one call of it, as OpenAI's clients expect."""
    return MAX_CALLS if job.parallel_tool_calls and job.tool_choice.name is None else 1


def _grammar(
    tools: tuple[Tool, ...],
    job: GenerateJob,
    form: ToolFormat,
    beside: Constraint | None = None,
    *,
    is_after_opener: bool = False,
) -> bytes:
    written = orjson.dumps([tool.model_dump() for tool in tools])
    grammar, complaint = _converted(written, form, most_calls(job), beside, is_after_opener)
    if complaint:
        raise BadRequestError(f"The tools are not supported: {complaint}.", param="tools")
    return grammar


@lru_cache(maxsize=MAX_KEPT)
def _converted(
    written: bytes, form: ToolFormat, most: int, beside: Constraint | None, is_after_opener: bool
) -> tuple[bytes, str]:
    """The grammar, or why there is none."""
    tools = [Tool.model_validate(tool) for tool in orjson.loads(written)]
    try:
        try:
            return _source(tools, form, most, beside, is_after_opener, has_schemas=True), ""
        except GrammarError:
            return _source(tools, form, most, beside, is_after_opener, has_schemas=False), ""
    except GrammarError as error:
        return b"", str(error)
    except (ValueError, RecursionError, OverflowError):
        return b"", "a schema holds a number or a text that is not supported"


def _source(
    tools: Sequence[Tool],
    form: ToolFormat,
    most: int,
    beside: Constraint | None,
    is_after_opener: bool,
    *,
    has_schemas: bool,
) -> bytes:
    rules = Rules()
    text = ToolText(rules, form, tools, has_schemas=has_schemas)
    root = text.calls_after_opener(most=most) if is_after_opener and form.opener else text.calls(most=most)
    if beside is not None:
        root = either((root, constraint_rule(beside, rules)))
    return rules.source(root).encode()


def _trigger(form: ToolFormat, tools: Sequence[Tool], *, is_forbidden: bool = False) -> Trigger:
    """The opener; where there is none, an answer that begins as a call of one of `tools` does.

    An opener of several tokens is forbidden early, or half of it would remain in the text.
    """
    if form.opener:
        opener = form.opener[:5] if is_forbidden else form.opener
        return Trigger(re.compile(re.escape(opener.encode())), len(opener))
    names = b"|".join(re.escape(json.dumps(tool.name).encode()) for tool in tools)
    begun = (
        rb"\A(?:"
        + re.escape(TAG.encode())
        + rb")?"
        + SPACE
        + rb"\{"
        + SPACE
        + rb'"name":'
        + SPACE
        + rb"(?:"
        + names
        + rb")"
    )
    return Trigger(re.compile(begun), 160, is_whole=True)
