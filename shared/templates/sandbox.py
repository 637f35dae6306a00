"""The Jinja environment in which chat templates run: a template comes with a model and is not trusted.

Names and options are those that Hugging Face's tokenizers give to templates, because these are written for them:
https://huggingface.co/docs/transformers/chat_templating_writing
"""

import json
from collections.abc import Callable, Sized
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_REPEATED = 1_000_000
"""Characters or items that one `*` may make, and the largest power's exponent is a thousandth of it."""


class RefusedByTemplateError(Exception):
    """The template called raise_exception: the messages are not what the model takes."""


class GenerationTag(Extension):
    """`{% generation %}` marks the assistant's text for training; here its content is simply rendered."""

    tags = {"generation"}  # noqa: RUF012 - Jinja declares it so

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Refuses what could fill the memory in one step; ranges are bounded by Jinja itself (MAX_RANGE)."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and abs(right) > MAX_REPEATED // 1000:
            raise SecurityError("A power in the chat template is too large.")
        if operator == "*" and _product_length(left, right) > MAX_REPEATED:
            raise SecurityError("A repetition in the chat template is too long.")
        return super().call_binop(context, operator, left, right)


def environment() -> ImmutableSandboxedEnvironment:
    """A sandbox with everything that published chat templates use."""
    sandbox = _Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, loopcontrols])
    sandbox.filters["tojson"] = _tojson
    functions: dict[str, Callable[..., Any]] = {"raise_exception": _raise_exception, "strftime_now": _strftime_now}
    sandbox.globals.update(functions)
    return sandbox


def _product_length(left: Any, right: Any) -> int:
    for items, times in ((left, right), (right, left)):
        if isinstance(items, Sized) and isinstance(times, int):
            return len(items) * times
    return 0


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Plain JSON: Jinja's own filter would escape <, > and & for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> NoReturn:
    raise RefusedByTemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.now().strftime(pattern)
