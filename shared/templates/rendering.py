"""Renders messages with a chat template."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import structlog
from jinja2 import Template, TemplateSyntaxError
from jinja2.exceptions import SecurityError

from shared.bodies.messages import Message
from shared.bodies.tools import Tool
from shared.errors import BadRequestError, InferenceError, ModelLoadError
from shared.templates.control_texts import ControlTexts
from shared.templates.fallback import FALLBACKS
from shared.templates.sandbox import RefusedByTemplateError, environment
from shared.templates.tool_messages import as_plain_text, with_short_ids, with_tools
from shared.tool_calls import MISTRAL, ToolFormat, format_of, knows_tools

_log = structlog.get_logger(__name__)
_SANDBOX = environment()
NO_CONTROL_TEXTS = ControlTexts()

MAX_PROMPT_CHARACTERS = 64 * 2**20
"""Far above every context; it ends a template that loops."""


def render(
    template: str,
    messages: Sequence[Message],
    *,
    bos: str,
    eos: str,
    tools: Sequence[Tool] = (),
    control: ControlTexts = NO_CONTROL_TEXTS,
    add_generation_prompt: bool = True,
) -> str:
    """The prompt's text. `template` is Jinja source or one of FALLBACK_NAMES; `bos` and `eos` are those tokens' text.

    What callers wrote that reads like one of `control` has a guard in it, see `apart`: it must not end a message.

    The role developer counts as system. Where the template knows nothing of tools, a system message tells the model of
    them, and calls and their results are written as text. Raises BadRequestError if the template refuses the messages,
    ModelLoadError if the template itself cannot be used, InferenceError if it fails on these messages.
    """
    source = FALLBACKS.get(template, template)
    compiled = _compile(source)
    try:
        return _bounded(
            compiled,
            messages=control.guarded(_shown(source)(messages, tools)),
            bos_token=bos,
            eos_token=eos,
            add_generation_prompt=add_generation_prompt,
            tools=control.guarded([tool.function() for tool in tools]) or None,
            documents=None,
        )
    except RefusedByTemplateError as error:
        raise BadRequestError(f"The model's chat template refuses these messages: {error}", param="messages") from error
    except (SecurityError, OverflowError) as error:
        _log.warning("template_refused", reason=str(error))
        raise ModelLoadError("The model's chat template does what templates may not do; the log says what.") from error
    except Exception as error:  # a template is foreign code, it can raise anything
        _log.warning("template_failed", reason=type(error).__name__)
        raise InferenceError("The model's chat template failed on these messages.") from error


def _shown(source: str) -> Callable[[Sequence[Message], Sequence[Tool]], list[dict[str, Any]]]:
    """How a template is shown messages."""
    if not knows_tools(source):
        return as_plain_text
    return with_short_ids if format_of(source) is MISTRAL else with_tools


def template_format(template: str) -> ToolFormat:
    """How the model of a template writes its tool calls; `template` as `render` takes it."""
    return format_of(FALLBACKS.get(template, template))


@lru_cache(maxsize=64)
def _compile(source: str) -> Template:
    try:
        return _SANDBOX.from_string(source)
    except (TemplateSyntaxError, RecursionError) as error:
        _log.warning("template_invalid", reason=str(error))
        raise ModelLoadError("The model's chat template is not valid Jinja; the log says where.") from error


def _bounded(template: Template, **variables: Any) -> str:
    pieces: list[str] = []
    size = 0
    for piece in template.generate(**variables):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_PROMPT_CHARACTERS:
            raise SecurityError("The rendered text is too long.")
    return "".join(pieces)
