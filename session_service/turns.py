"""Turns: begin one, give it up, finish it.

A turn that has failed or was cancelled keeps its messages for the reader; prompts are made of finished turns only. A
turn that was given up before its job was accepted never happened: its messages are deleted and its request id is free,
so a caller who was told 429 or 503 may send the same Idempotency-Key again.
"""

import asyncio
from collections.abc import Sequence
from itertools import takewhile

import structlog

from session_service.database import Transaction
from session_service.identifiers import new_turn_id
from session_service.repository import messages as message_rows
from session_service.repository import sessions as session_rows
from session_service.repository import turns as turn_rows
from session_service.tables import SessionTable, TurnTable
from session_service.token_counter import TokenCounter
from session_service.truncation import SYSTEM_ROLES, CountedMessage, Fitting, budget_tokens, truncate
from shared.bodies.messages import Message
from shared.bodies.turns import BeginTurnBody, BegunTurnBody, Truncation, TurnState
from shared.errors import (
    BadRequestError,
    IdempotencyMismatchError,
    NotFoundError,
    SessionBusyError,
    SessionNotFoundError,
)

_log = structlog.get_logger(__name__)

MAX_REQUEST_ID = 255
"""It is part of an index, whose entries Postgres limits."""

ESTIMATE_SLACK = 2
"""Stored counts may come from another model's vocabulary: read this many times the history that should fit."""


async def begin_turn(tx: Transaction, body: BeginTurnBody, counter: TokenCounter) -> BegunTurnBody:
    """Store the new messages and open a turn with the messages that fit the model's context.

    For a `request_id` that has a turn already the answer is that turn, without messages. Raises SessionNotFoundError,
    SessionBusyError, IdempotencyMismatchError, ContextLengthExceededError, ModelNotFoundError, BadRequestError.
    """
    if len(body.request_id) > MAX_REQUEST_ID:
        raise BadRequestError(f"An Idempotency-Key may have {MAX_REQUEST_ID} characters at most.")
    system, new = _parts(body.messages)
    # Before the lock, because the first count of a model reads its vocabulary from the disk.
    counted = await asyncio.to_thread(_count, counter, body.model, [*system, *new])
    session = await session_rows.lock_session(tx, body.tenant_id, body.session_id)
    if session is None:
        raise SessionNotFoundError()
    earlier = await turn_rows.find_by_request(tx, body.tenant_id, body.session_id, body.request_id)
    if earlier is not None:
        return _replay(earlier, body)
    if await turn_rows.has_pending(tx, body.tenant_id, body.session_id):
        raise SessionBusyError()
    if given_up := await turn_rows.find_given_up(tx, body.tenant_id, body.session_id, body.body_hash):
        await message_rows.delete_of_turn(tx, given_up.id)  # the caller says the same again, not twice
    if system:
        await message_rows.replace_system(tx, body.tenant_id, body.session_id, counted[: len(system)])
    fitting = await _fit(tx, body, counted[len(system) :], counter)
    return await _open_turn(tx, body, session, counted[len(system) :], fitting)


async def abort_turn(tx: Transaction, turn_id: str) -> None:
    """Give up a turn whose job was not accepted; changes nothing once it has ended. Raises NotFoundError."""
    if await turn_rows.give_up_pending(tx, turn_id):
        await message_rows.delete_of_turn(tx, turn_id)
    elif not await turn_rows.exists(tx, turn_id):
        raise NotFoundError("The turn does not exist.")


async def finish_turn(
    tx: Transaction,
    *,
    tenant_id: str,
    session_id: str,
    turn_id: str,
    state: TurnState,
    finish_reason: str,
    text: str,
    tokens: int,
) -> bool:
    """End a pending turn and store its reply; False, with nothing changed, if it has ended already."""
    # The session first, as every other writer does: nobody waits for two rows in the opposite order.
    if await session_rows.lock_session(tx, tenant_id, session_id) is None:
        _log.info("turn_of_deleted_session", job_id=turn_id)
        return False
    if not await turn_rows.finish_pending(tx, tenant_id, turn_id, state, finish_reason):
        _log.info("turn_finished_before", job_id=turn_id)
        return False
    await message_rows.append_reply(tx, tenant_id, session_id, turn_id, text, tokens)
    await session_rows.touch_session(tx, tenant_id, session_id)
    return True


def _parts(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """The system messages at the beginning, and the others. Raises BadRequestError if they cannot begin a turn."""
    system = list(takewhile(lambda message: message.role in SYSTEM_ROLES, messages))
    new = list(messages[len(system) :])
    if any(message.role in SYSTEM_ROLES for message in new):
        raise BadRequestError("In a session, system messages must come before all others.", param="messages")
    if not new or new[-1].role not in ("user", "tool"):
        raise BadRequestError("In a session, the last message must be the user's (or a tool's).", param="messages")
    return system, new


def _count(counter: TokenCounter, model: str, messages: Sequence[Message]) -> list[CountedMessage]:
    return [CountedMessage(message, counter.count_text(model, message.content)) for message in messages]


def _replay(earlier: TurnTable, body: BeginTurnBody) -> BegunTurnBody:
    if earlier.body_hash != body.body_hash:
        raise IdempotencyMismatchError()
    return BegunTurnBody.model_validate(
        {
            "turn_id": earlier.id,
            "state": earlier.state,
            "is_replay": True,
            "messages": [],
            "prompt_tokens": earlier.prompt_tokens,
            "truncation": _truncation(earlier.dropped_messages, earlier.dropped_tokens),
        }
    )


async def _fit(tx: Transaction, body: BeginTurnBody, new: Sequence[CountedMessage], counter: TokenCounter) -> Fitting:
    """The session's messages and the new ones, as far as they fit; what was not even read counts as dropped."""
    context_tokens = counter.context_tokens(body.model)
    budget = budget_tokens(context_tokens, body.max_tokens)
    totals = await message_rows.totals_of_history(tx, body.tenant_id, body.session_id)
    history = await message_rows.newest_of_history(tx, body.tenant_id, body.session_id, ESTIMATE_SLACK * budget)
    system = await _counted_system(tx, body, counter)
    fitting = await asyncio.to_thread(
        truncate,
        [*system, *history, *new],
        context_tokens=context_tokens,
        max_tokens=body.max_tokens,
        count_prompt=lambda messages: counter.count_prompt(body.model, messages),
    )
    return Fitting(
        fitting.messages,
        fitting.prompt_tokens,
        fitting.dropped_messages + totals.messages - len(history),
        fitting.dropped_tokens + totals.tokens - sum(counted.tokens for counted in history),
    )


async def _counted_system(tx: Transaction, body: BeginTurnBody, counter: TokenCounter) -> list[CountedMessage]:
    """The session's system messages; those from before the first turn are counted now."""
    system = await message_rows.system_of(tx, body.tenant_id, body.session_id)
    if all(counted.tokens for counted in system):
        return system
    recounted = await asyncio.to_thread(_count, counter, body.model, [counted.message for counted in system])
    await message_rows.set_system_tokens(tx, body.tenant_id, body.session_id, recounted)
    return recounted


async def _open_turn(
    tx: Transaction,
    body: BeginTurnBody,
    session: SessionTable,
    new: Sequence[CountedMessage],
    fitting: Fitting,
) -> BegunTurnBody:
    turn = TurnTable(
        id=new_turn_id(),
        tenant_id=body.tenant_id,
        session_id=body.session_id,
        seq=session.version + 1,
        request_id=body.request_id,
        body_hash=body.body_hash,
        model=body.model,
        prompt_tokens=fitting.prompt_tokens,
        dropped_messages=fitting.dropped_messages,
        dropped_tokens=fitting.dropped_tokens,
    )
    await turn_rows.add_turn(tx, turn)
    await message_rows.append(tx, body.tenant_id, body.session_id, turn.id, new)
    await session_rows.touch_session(tx, body.tenant_id, body.session_id, version=turn.seq)
    return BegunTurnBody(
        turn_id=turn.id,
        state="pending",
        is_replay=False,
        messages=fitting.messages,
        prompt_tokens=fitting.prompt_tokens,
        truncation=_truncation(fitting.dropped_messages, fitting.dropped_tokens),
    )


def _truncation(dropped_messages: int, dropped_tokens: int) -> Truncation:
    return Truncation(dropped_messages=dropped_messages, dropped_tokens=dropped_tokens)
