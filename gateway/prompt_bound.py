"""An upper bound of a prompt's tokens that needs no tokenizer: a token is at least one byte of text."""

from collections.abc import Iterable, Sequence

import orjson

from shared.bodies.messages import Message
from shared.bodies.tools import Tool

BYTES_PER_MESSAGE = 24
"""What a chat template writes around one message: role, separators, end mark."""

BYTES_PER_PROMPT = 64
"""Begin mark, a short default system message, and the opening of the reply."""

BYTES_OF_TOOL_RULES = 1024
"""How the model is told to call its tools."""

ESCAPED = 2
"""A template writes JSON with spaces, breaks and escapes: at most about so many times as long as ours."""


def prompt_tokens_bound(
    messages: Iterable[Message], prompt: str | Sequence[int] | None = None, tools: Iterable[Tool] = ()
) -> int:
    """At most this many tokens, template included; those of `prompt` where that is given."""
    if isinstance(prompt, str):
        return len(prompt.encode()) + 1
    if prompt is not None:
        return len(prompt) + 1
    described = sum(ESCAPED * len(orjson.dumps(tool.function())) for tool in tools)
    rules = BYTES_OF_TOOL_RULES if described else 0
    return BYTES_PER_PROMPT + rules + described + sum(_bytes(message) + BYTES_PER_MESSAGE for message in messages)


def _bytes(message: Message) -> int:
    calls = sum(ESCAPED * len(call.model_dump_json()) for call in message.tool_calls or ())
    return len(message.content.encode()) + len((message.name or "").encode()) + calls
