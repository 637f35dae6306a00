"""Opening a turn: in a conversation one at a time, outside of them as many as go on from one parent."""

import asyncio
from collections.abc import Sequence
from itertools import takewhile

from session_service.database import Transaction
from session_service.fitting import count_each, fit
from session_service.identifiers import new_turn_id, session_id_of_request
from session_service.repository import history
from session_service.repository import messages as message_rows
from session_service.repository import sessions as session_rows
from session_service.repository import turns as turn_rows
from session_service.repository.sessions import SHOWN
from session_service.tables import SessionTable, TurnTable
from session_service.token_counter import TokenCounter
from session_service.tool_results import check_results
from session_service.truncation import SYSTEM_ROLES, CountedMessage, Fitting
from session_service.views import truncation_of
from shared.bodies.messages import Message
from shared.bodies.turns import BeginTurnBody, BegunTurnBody, Truncation
from shared.errors import (
    BadRequestError,
    IdempotencyMismatchError,
    NotFoundError,
    SessionBusyError,
    SessionNotFoundError,
)

MAX_REQUEST_ID = 255
"""It is part of an index, whose entries Postgres limits."""


async def begin_turn(tx: Transaction, body: BeginTurnBody, counter: TokenCounter) -> BegunTurnBody:
    """Store the new messages and open a turn with the messages that fit the model's context.

    For a `request_id` that has a turn already the answer is that turn, without messages. Raises SessionNotFoundError,
    NotFoundError for a parent, SessionBusyError, IdempotencyMismatchError, ContextLengthExceededError,
    ModelNotFoundError, BadRequestError.
    """
    if len(body.request_id) > MAX_REQUEST_ID:
        raise BadRequestError(f"An Idempotency-Key may have {MAX_REQUEST_ID} characters at most.")
    # Before any lock, because the first count of a model reads its vocabulary from the disk.
    if body.session_id is None:
        new = await asyncio.to_thread(count_each, counter, body.model, body.messages)
        return await _begin_outside(tx, body, new, counter)
    if body.parent_turn_id is not None or not body.is_stored:
        raise BadRequestError("A turn in a session is stored, and goes on from the session's last one.")
    system = _system_of(body)
    counted = await asyncio.to_thread(count_each, counter, body.model, body.messages)
    return await _begin_in_session(tx, body, body.session_id, counted[: len(system)], counted[len(system) :], counter)


async def _begin_in_session(
    tx: Transaction,
    body: BeginTurnBody,
    session_id: str,
    system: Sequence[CountedMessage],
    new: Sequence[CountedMessage],
    counter: TokenCounter,
) -> BegunTurnBody:
    session = await session_rows.lock_session(tx, body.tenant_id, session_id, kind=SHOWN)
    if session is None:
        raise SessionNotFoundError()
    earlier = await turn_rows.find_by_request(tx, body.tenant_id, session_id, body.request_id)
    if earlier is not None:
        return _replay(earlier, body)
    if await turn_rows.find_pending(tx, body.tenant_id, session_id=session_id, turn_id=None):
        raise SessionBusyError()
    if given_up := await turn_rows.find_given_up(tx, body.tenant_id, session_id, body.body_hash):
        await message_rows.delete_of_turn(tx, given_up.id)  # the caller says the same again, not twice
    if system:
        await message_rows.replace_system(tx, body.tenant_id, session_id, system)
    stored_system = await message_rows.system_of(tx, body.tenant_id, session_id)
    told = history.of_session(body.tenant_id, session_id)
    await check_results(tx, told, body.messages)
    fitting = await fit(
        tx,
        body,
        counter,
        system=[*_instructions(body), *stored_system],
        history=told,
        new=new,
    )
    return await _open_turn(tx, body, session, new, fitting)


async def _begin_outside(
    tx: Transaction, body: BeginTurnBody, new: Sequence[CountedMessage], counter: TokenCounter
) -> BegunTurnBody:
    session = await _own_session(tx, body) if body.is_stored else None
    if session is not None and (
        earlier := await turn_rows.find_by_request(tx, body.tenant_id, session.id, body.request_id)
    ):
        return _replay(earlier, body)
    if not new:
        raise BadRequestError("There is nothing to answer; send a message.", param="messages")
    if body.parent_turn_id is not None:
        await _require_ended(tx, body.tenant_id, body.parent_turn_id)
    told = None if body.parent_turn_id is None else history.of_turn(body.tenant_id, body.parent_turn_id)
    await check_results(tx, told, body.messages)
    fitting = await fit(tx, body, counter, system=_instructions(body), history=told, new=new)
    if session is None:
        return _begun(new_turn_id(), None, fitting)
    return await _open_turn(tx, body, session, new, fitting)


async def _own_session(tx: Transaction, body: BeginTurnBody) -> SessionTable:
    """The session that is there for this request alone, made if need be, locked."""
    session_id = session_id_of_request(body.tenant_id, body.request_id)
    await session_rows.ensure_response_session(tx, body.tenant_id, session_id)
    session = await session_rows.lock_session(tx, body.tenant_id, session_id)
    if session is None:  # deleted between the two statements
        raise SessionBusyError()
    return session


async def _require_ended(tx: Transaction, tenant_id: str, parent_turn_id: str) -> None:
    parent = await turn_rows.find_turn(tx, tenant_id, parent_turn_id)
    if parent is None:
        raise NotFoundError("The turn to go on from does not exist.", param="parent_turn_id")
    if parent.turn.state == "pending":
        raise SessionBusyError("The turn to go on from is still in progress; wait until it ends, or cancel it.")


def _system_of(body: BeginTurnBody) -> list[Message]:
    """The session's system messages from now on. Raises BadRequestError if the messages cannot begin its turn.

    None for a response, which repeats its request: whatever its items are, they stand in the order they came in.
    """
    if body.request is not None:
        return []
    messages = body.messages
    system = list(takewhile(lambda message: message.role in SYSTEM_ROLES, messages))
    new = messages[len(system) :]
    if any(message.role in SYSTEM_ROLES for message in new):
        raise BadRequestError("In a session, system messages must come before all others.", param="messages")
    if not new or new[-1].role not in ("user", "tool"):
        raise BadRequestError("In a session, the last message must be the user's (or a tool's).", param="messages")
    return system


def _instructions(body: BeginTurnBody) -> list[CountedMessage]:
    if body.instructions is None:
        return []
    return [CountedMessage(Message(role="system", content=body.instructions), 0)]


def _replay(earlier: TurnTable, body: BeginTurnBody) -> BegunTurnBody:
    if earlier.body_hash != body.body_hash:
        raise IdempotencyMismatchError()
    return BegunTurnBody.model_validate(
        {
            "turn_id": earlier.id,
            "session_id": earlier.session_id,
            "state": earlier.state,
            "is_replay": True,
            "messages": [],
            "prompt_tokens": earlier.prompt_tokens,
            "truncation": truncation_of(earlier),
        }
    )


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
        session_id=session.id,
        seq=session.version + 1,
        request_id=body.request_id,
        body_hash=body.body_hash,
        model=body.model,
        prompt_tokens=fitting.prompt_tokens,
        dropped_messages=fitting.dropped_messages,
        dropped_tokens=fitting.dropped_tokens,
        parent_turn_id=body.parent_turn_id,
        tool_names=_tool_names(body) or None,
        request=body.request,
        details=body.metadata,
    )
    await turn_rows.add_turn(tx, turn)
    await message_rows.append(tx, body.tenant_id, session.id, turn.id, new)
    await session_rows.touch_session(tx, body.tenant_id, session.id, version=turn.seq)
    return _begun(turn.id, session.id, fitting)


def _tool_names(body: BeginTurnBody) -> list[str]:
    return [tool.name for tool in body.tools] if body.tool_names is None else list(body.tool_names)


def _begun(turn_id: str, session_id: str | None, fitting: Fitting) -> BegunTurnBody:
    return BegunTurnBody(
        turn_id=turn_id,
        session_id=session_id,
        state="pending",
        is_replay=False,
        messages=[message.model_copy(update={"parts": None}) for message in fitting.messages],
        prompt_tokens=fitting.prompt_tokens,
        truncation=Truncation(dropped_messages=fitting.dropped_messages, dropped_tokens=fitting.dropped_tokens),
    )
