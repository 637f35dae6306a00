"""Truncation: which messages of a conversation fit into a model's context. Pure: no clock, no I/O.

What is always kept: the system messages, the newest user message, and the newest step that follows it. A step is an
assistant message with the results of the tools that it called: a model at work with tools takes many of them for one
user message. Before that message come exchanges: a run of user messages and the replies to it. Steps and then exchanges
are kept whole, newest first, until one more would exceed the budget; so a tool's result never stands without its call.
What counts is the whole rendered prompt in the model's own vocabulary, because the sum of the parts differs from it:
templates add tokens, and tokens merge across the seams. The counts of the single messages only say where to begin to
look.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

from shared.bodies.messages import Message, Role
from shared.errors import ContextLengthExceededError

DEFAULT_RESERVE_TOKENS = 1024
"""Kept free for the reply when the caller does not say how long it may be; at most a quarter of the context."""

SYSTEM_ROLES = ("system", "developer")


@dataclass(frozen=True, slots=True)
class CountedMessage:
    """A message and the tokens of its content alone; its id if it is stored."""

    message: Message
    tokens: int
    id: str | None = None


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
            f"This model's context is {context_tokens} tokens, but the reply alone is to have {reserve}; "
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
    parts = _Parts.of(conversation)
    counts: dict[int, int] = {}

    def fits(kept: int) -> bool:
        if kept not in counts:
            counts[kept] = count_prompt([counted.message for counted in parts.prompt(kept)])
        return counts[kept] <= budget

    kept = _guess(parts, budget, 0)
    while kept > 0 and not fits(kept):
        prompt = parts.prompt(kept)
        overhead = (counts[kept] - sum(counted.tokens for counted in prompt)) / len(prompt)
        kept = min(kept - 1, _guess(parts, budget, overhead))
    while kept < len(parts.droppable) and fits(kept) and fits(kept + 1):
        kept += 1
    if not fits(kept):
        raise _too_long(counts[kept], context_tokens, context_tokens - budget)
    dropped = _flat(parts.droppable[: len(parts.droppable) - kept])
    messages = [counted.message for counted in parts.prompt(kept)]
    return Fitting(messages, counts[kept], len(dropped), sum(counted.tokens for counted in dropped))


@dataclass(frozen=True, slots=True)
class _Parts:
    """A conversation, taken apart. `exchanges` and `steps` are what may be dropped, oldest first."""

    system: list[CountedMessage]
    exchanges: list[list[CountedMessage]]
    user: list[CountedMessage]
    steps: list[list[CountedMessage]]
    newest_step: list[CountedMessage]

    @classmethod
    def of(cls, conversation: Sequence[CountedMessage]) -> Self:
        system = [counted for counted in conversation if counted.message.role in SYSTEM_ROLES]
        rest = [counted for counted in conversation if counted.message.role not in SYSTEM_ROLES]
        user_at = max((index for index, counted in enumerate(rest) if counted.message.role == "user"), default=-1)
        exchanges = _units(rest[: max(user_at, 0)], "user", is_run=True)
        *steps, newest_step = _units(rest[user_at + 1 :], "assistant", is_run=False) or [[]]
        return cls(system, exchanges, rest[user_at : user_at + 1] if user_at >= 0 else [], steps, newest_step)

    @property
    def droppable(self) -> list[list[CountedMessage]]:
        return [*self.exchanges, *self.steps]

    @property
    def fixed(self) -> list[CountedMessage]:
        return [*self.system, *self.user, *self.newest_step]

    def prompt(self, kept: int) -> list[CountedMessage]:
        """The system messages and the rest in order, with the newest `kept` of what may be dropped."""
        kept_steps = min(kept, len(self.steps))
        older = self.exchanges[len(self.exchanges) - (kept - kept_steps) :]
        later = self.steps[len(self.steps) - kept_steps :]
        return [*self.system, *_flat(older), *self.user, *_flat(later), *self.newest_step]


def _units(messages: Sequence[CountedMessage], role: Role, *, is_run: bool) -> list[list[CountedMessage]]:
    """`messages` cut before every message of `role`; with `is_run` only before the first one of a run of them."""
    units: list[list[CountedMessage]] = []
    previous_role = None
    for counted in messages:
        begins = counted.message.role == role and not (is_run and previous_role == role)
        if begins or not units:
            units.append([])
        units[-1].append(counted)
        previous_role = counted.message.role
    return units


def _flat(units: list[list[CountedMessage]]) -> list[CountedMessage]:
    return [counted for unit in units for counted in unit]


def _guess(parts: _Parts, budget: int, overhead_tokens: float) -> int:
    """How many of the newest units fit by their single counts, if each message costs `overhead_tokens` more."""
    cost = _cost(parts.fixed, overhead_tokens)
    sizes = (_cost(unit, overhead_tokens) for unit in reversed(parts.droppable))
    return sum(1 for total in accumulate(sizes) if cost + total <= budget)


def _cost(messages: list[CountedMessage], overhead_tokens: float) -> float:
    return sum(counted.tokens + overhead_tokens for counted in messages)


def _too_long(prompt_tokens: int, context_tokens: int, reserve_tokens: int) -> ContextLengthExceededError:
    return ContextLengthExceededError(
        f"This model's context is {context_tokens} tokens. The system message and the newest message need "
        f"{prompt_tokens} tokens and the reply {reserve_tokens} more; shorten the message or ask for fewer.",
        param="messages",
    )
