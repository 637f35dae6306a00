"""An upper bound of a prompt's tokens that needs no tokenizer: a token is at least one byte of text."""

from collections.abc import Iterable

from shared.bodies.messages import Message

BYTES_PER_MESSAGE = 24
"""What a chat template writes around one message: role, separators, end mark."""

BYTES_PER_PROMPT = 64
"""Begin mark, a short default system message, and the opening of the reply."""


def prompt_tokens_bound(messages: Iterable[Message]) -> int:
    """At most this many tokens, template included."""
    return BYTES_PER_PROMPT + sum(
        len(message.content.encode()) + len((message.name or "").encode()) + BYTES_PER_MESSAGE for message in messages
    )
