"""Truncation: which messages of a conversation fit into a model's context. Pure: no clock, no I/O.

What is always kept: the system messages, and the newest user message with all that follows it. Before these come
exchanges: a run of user messages and the replies to it. Exchanges are kept whole, newest first, until one more would
exceed the budget. What counts is the whole rendered prompt in the model's own vocabulary, because the sum of the
parts differs from it: templates add tokens, and tokens merge across the seams. The counts of the single messages only
say where to begin to look.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from shared.bodies.messages import Message
from shared.errors import ContextLengthExceededError

DEFAULT_RESERVE_TOKENS = 1024
"""Kept free for the reply when the caller does not say how long it may be; at most a quarter of the context."""

SYSTEM_ROLES = ("system", "developer")


@dataclass(frozen=True, slots=True)
class CountedMessage:
    """A message and the tokens of its content alone."""

    message: Message
    tokens: int


@dataclass(frozen=True, slots=True)
class Fitting:
    """The messages that fit, in order, the tokens of the prompt that they make, and what was left out."""

    messages: list[Message]
    prompt_tokens: int
    dropped_messages: int
    dropped_tokens: int


def budget_tokens(context_tokens: int, max_tokens: int | None) -> int:
    """How long the prompt may be. Raises ContextLengthExceededError if the reply alone leaves no room for one."""
    reserve = min(context_tokens // 4, DEFAULT_RESERVE_TOKENS) if max_tokens is None else max_tokens
    if reserve >= context_tokens:
        raise ContextLengthExceededError(
            f"This model's context is {context_tokens} tokens, but max_tokens asks for {reserve} in the reply alone; "
            "ask for fewer.",
            param="max_tokens",
        )
    return context_tokens - reserve


def truncate(
    conversation: Sequence[CountedMessage],
    *,
    context_tokens: int,
    max_tokens: int | None,
    count_prompt: Callable[[list[Message]], int],
) -> Fitting:
    """The part of `conversation` (oldest first, system messages anywhere) that fits.

    `count_prompt` counts a whole rendered prompt. Raises ContextLengthExceededError if what must be kept does not fit.
    """
    budget = budget_tokens(context_tokens, max_tokens)
    system = [counted for counted in conversation if counted.message.role in SYSTEM_ROLES]
    rest = [counted for counted in conversation if counted.message.role not in SYSTEM_ROLES]
    exchanges, newest = _split(rest)

    def prompt_of(kept: int) -> list[Message]:
        older = [counted for exchange in exchanges[len(exchanges) - kept :] for counted in exchange]
        return [counted.message for counted in (*system, *older, *newest)]

    counts: dict[int, int] = {}

    def fits(kept: int) -> bool:
        if kept not in counts:
            counts[kept] = count_prompt(prompt_of(kept))
        return counts[kept] <= budget

    fixed = [*system, *newest]
    kept = _guess(exchanges, fixed, budget, 0)
    while kept > 0 and not fits(kept):
        prompt = [*fixed, *(counted for exchange in exchanges[len(exchanges) - kept :] for counted in exchange)]
        overhead = (counts[kept] - sum(counted.tokens for counted in prompt)) / len(prompt)
        kept = min(kept - 1, _guess(exchanges, fixed, budget, overhead))
    while kept < len(exchanges) and fits(kept) and fits(kept + 1):
        kept += 1
    if not fits(kept):
        raise _too_long(counts[kept], context_tokens, context_tokens - budget)
    dropped = [counted for exchange in exchanges[: len(exchanges) - kept] for counted in exchange]
    return Fitting(prompt_of(kept), counts[kept], len(dropped), sum(counted.tokens for counted in dropped))


def _split(rest: list[CountedMessage]) -> tuple[list[list[CountedMessage]], list[CountedMessage]]:
    """The exchanges, oldest first, and the newest user message with all that follows it."""
    user_at = [index for index, counted in enumerate(rest) if counted.message.role == "user"]
    start = user_at[-1] if user_at else max(0, len(rest) - 1)
    exchanges: list[list[CountedMessage]] = []
    previous_role = None
    for counted in rest[:start]:
        begins = counted.message.role == "user" and previous_role != "user"
        if begins or not exchanges:
            exchanges.append([])
        exchanges[-1].append(counted)
        previous_role = counted.message.role
    return exchanges, rest[start:]


def _guess(
    exchanges: list[list[CountedMessage]], fixed: list[CountedMessage], budget: int, overhead_tokens: float
) -> int:
    """How many of the newest exchanges fit by their single counts, if each message costs `overhead_tokens` more."""
    cost = _cost(fixed, overhead_tokens)
    sizes = (_cost(exchange, overhead_tokens) for exchange in reversed(exchanges))
    return sum(1 for total in accumulate(sizes) if cost + total <= budget)


def _cost(messages: list[CountedMessage], overhead_tokens: float) -> float:
    return sum(counted.tokens + overhead_tokens for counted in messages)


def _too_long(prompt_tokens: int, context_tokens: int, reserve_tokens: int) -> ContextLengthExceededError:
    return ContextLengthExceededError(
        f"This model's context is {context_tokens} tokens. The system message and the newest message need "
        f"{prompt_tokens} tokens and the reply {reserve_tokens} more; shorten the message or lower max_tokens.",
        param="messages",
    )
