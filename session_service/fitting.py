"""The prompt of a new turn: its history and its new messages, as far as they fit."""

import asyncio
from collections.abc import Sequence

from session_service.database import Transaction
from session_service.repository import messages as message_rows
from session_service.repository.history import History, Totals
from session_service.token_counter import TokenCounter
from session_service.truncation import SYSTEM_ROLES, CountedMessage, Fitting, budget_tokens, truncate
from shared.bodies.messages import Message
from shared.bodies.turns import BeginTurnBody
from shared.errors import ContextLengthExceededError

ESTIMATE_SLACK = 2
"""Stored counts may come from another model's vocabulary: read this many times the history that should fit."""


async def fit(
    tx: Transaction,
    body: BeginTurnBody,
    counter: TokenCounter,
    *,
    system: Sequence[CountedMessage],
    history: History | None,
    new: Sequence[CountedMessage],
) -> Fitting:
    """What goes to the model; what was not even read of the history counts as dropped.

    Raises ContextLengthExceededError if what must be kept does not fit, or anything where nothing may be dropped.
    """
    context_tokens = counter.context_tokens(body.model)
    budget = budget_tokens(context_tokens, body.max_tokens)
    totals, read = Totals(0, 0), list[CountedMessage]()
    if history is not None:
        read = await _counted(tx, body, counter, await history.newest(tx, ESTIMATE_SLACK * budget))
        totals = await history.totals(tx)  # after the counting
    fitting = await asyncio.to_thread(
        truncate,
        [*await _counted(tx, body, counter, system), *read, *new],
        context_tokens=context_tokens,
        max_tokens=body.max_tokens,
        count_prompt=lambda messages: counter.count_prompt(body.model, messages, body.tools),
    )
    told = [counted for counted in read if counted.message.role not in SYSTEM_ROLES]
    dropped_messages = fitting.dropped_messages + totals.messages - len(told)
    if dropped_messages and body.truncation == "disabled":
        raise ContextLengthExceededError(
            f"This model's context is {context_tokens} tokens, and the conversation does not fit with "
            f"{context_tokens - budget} of them for the reply; allow truncation, or begin anew.",
            param="truncation",
        )
    return Fitting(
        fitting.messages,
        fitting.prompt_tokens,
        dropped_messages,
        fitting.dropped_tokens + totals.tokens - sum(counted.tokens for counted in told),
    )


def count_each(counter: TokenCounter, model: str, messages: Sequence[Message]) -> list[CountedMessage]:
    """Every message with the tokens of its content. Blocks; raises ModelNotFoundError, ModelUnavailableError."""
    return [CountedMessage(message, counter.count_text(model, message.content)) for message in messages]


async def _counted(
    tx: Transaction, body: BeginTurnBody, counter: TokenCounter, messages: Sequence[CountedMessage]
) -> list[CountedMessage]:
    """`messages`; those that were stored before any turn said for which model are counted now."""
    uncounted = [counted.message for counted in messages if not counted.tokens and counted.message.content]
    if not uncounted:
        return list(messages)
    fresh = iter(await asyncio.to_thread(count_each, counter, body.model, uncounted))
    known = [
        counted
        if counted.tokens or not counted.message.content
        else CountedMessage(counted.message, next(fresh).tokens, counted.id)
        for counted in messages
    ]
    changed = {new.id: new.tokens for old, new in zip(messages, known, strict=True) if new is not old and new.id}
    await message_rows.set_tokens(tx, body.tenant_id, changed)
    return known
