"""Renders messages with a chat template."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import structlog
from jinja2 import Template, TemplateSyntaxError
from jinja2.exceptions import SecurityError

from shared.bodies.messages import Message
from shared.errors import BadRequestError, InferenceError, ModelLoadError
from shared.templates.fallback import FALLBACKS
from shared.templates.sandbox import RefusedByTemplateError, environment

_log = structlog.get_logger(__name__)
_SANDBOX = environment()

MAX_PROMPT_CHARACTERS = 64 * 2**20
"""Far above every context; it ends a template that loops."""


def render(
    template: str, messages: Sequence[Message], *, bos: str, eos: str, add_generation_prompt: bool = True
) -> str:
    """The prompt's text. `template` is Jinja source or one of FALLBACK_NAMES; `bos` and `eos` are those tokens' text.

    The role developer counts as system. Raises BadRequestError if the template refuses the messages, ModelLoadError if
    the template itself cannot be used, InferenceError if it fails on these messages.
    """
    compiled = _compile(FALLBACKS.get(template, template))
    try:
        return _bounded(
            compiled,
            messages=[_as_dict(message) for message in messages],
            bos_token=bos,
            eos_token=eos,
            add_generation_prompt=add_generation_prompt,
            tools=None,
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


def _as_dict(message: Message) -> dict[str, str]:
    fields = {"role": "system" if message.role == "developer" else message.role, "content": message.content}
    if message.name is not None:
        fields["name"] = message.name
    return fields
