"""Turns that were begun: finish one, give it up, read it, delete it.

A turn that has failed or was cancelled keeps its messages for the reader; a session's prompts are made of turns that
ended well. A turn that was given up before its job was accepted never happened: its messages are deleted and its
request id is free, so a caller who was told 429 or 503 may send the same Idempotency-Key again.
"""

from typing import Any

import structlog

from session_service.database import Transaction
from session_service.messages import message_list_body
from session_service.replies import ending_of, reply_of
from session_service.repository import messages as message_rows
from session_service.repository import sessions as session_rows
from session_service.repository import turns as turn_rows
from session_service.repository.paging import Page
from session_service.repository.sessions import RESPONSE
from session_service.repository.turns import TurnInSession
from session_service.sessions import require_session
from session_service.truncation import CountedMessage
from session_service.views import turn_body
from shared.bodies.sessions import DeletedBody
from shared.bodies.stored_messages import StoredMessageListBody
from shared.bodies.stored_turns import TurnBody, TurnListBody
from shared.bodies.turns import TurnState
from shared.errors import NotFoundError

_log = structlog.get_logger(__name__)


async def abort_turn(tx: Transaction, turn_id: str, tenant_id: str | None = None) -> None:
    """Give up a turn whose job was not accepted; changes nothing once it has ended.

    Raises NotFoundError, also for a turn of another tenant than `tenant_id`.
    """
    found = await turn_rows.find_of_any_tenant(tx, turn_id)
    if found is None or tenant_id not in (None, found[0].tenant_id):
        raise NotFoundError("The turn does not exist.")
    if await give_up_turn(tx, turn_id):
        await message_rows.delete_of_turn(tx, turn_id)


async def give_up_turn(tx: Transaction, turn_id: str) -> bool:
    """End a turn whose job was never accepted; False if it has ended already. A session made for it alone goes too."""
    found = await turn_rows.find_of_any_tenant(tx, turn_id)
    if found is None:
        return False
    turn, kind = found
    await session_rows.lock_session(tx, turn.tenant_id, turn.session_id)
    if not await turn_rows.give_up_pending(tx, turn_id):
        return False
    if kind == RESPONSE:
        await session_rows.delete_session(tx, turn.tenant_id, turn.session_id, kind=RESPONSE)
    return True


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
    error: dict[str, Any] | None = None,
) -> bool:
    """End a pending turn and store its reply; False, with nothing changed, if it has ended already."""
    # The session first, as every other writer does: nobody waits for two rows in the opposite order.
    if await session_rows.lock_session(tx, tenant_id, session_id) is None:
        _log.info("turn_of_deleted_session", job_id=turn_id)
        return False
    turn = await turn_rows.find_pending(tx, tenant_id, session_id=None, turn_id=turn_id)
    if turn is None:
        _log.info("turn_finished_before", job_id=turn_id)
        return False
    reply = reply_of(text, turn.tool_names or (), turn_id)
    await turn_rows.finish_pending(tx, tenant_id, turn_id, state, ending_of(reply, finish_reason), error)
    await message_rows.append_reply(tx, tenant_id, session_id, turn_id, CountedMessage(reply, tokens))
    await session_rows.touch_session(tx, tenant_id, session_id)
    return True


async def get_turn(tx: Transaction, tenant_id: str, turn_id: str) -> TurnBody:
    """Raises NotFoundError, also for another tenant's."""
    found = await _found(tx, tenant_id, turn_id)
    replies = await message_rows.replies_of(tx, tenant_id, [turn_id])
    return turn_body(found, replies.get(turn_id))


async def list_turns(tx: Transaction, tenant_id: str, session_id: str, page: Page) -> TurnListBody:
    """The session's turns in their order. Raises SessionNotFoundError, NotFoundError for a cursor that is not there."""
    await require_session(tx, tenant_id, session_id)
    found = await turn_rows.list_turns(tx, tenant_id, session_id, page)
    replies = await message_rows.replies_of(tx, tenant_id, [entry.turn.id for entry in found.entries])
    data = [turn_body(entry, replies.get(entry.turn.id)) for entry in found.entries]
    return TurnListBody(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=found.has_more,
    )


async def list_inputs(tx: Transaction, tenant_id: str, turn_id: str, page: Page) -> StoredMessageListBody:
    """The messages that the turn began with. Raises NotFoundError."""
    turn = (await _found(tx, tenant_id, turn_id)).turn
    found = await message_rows.list_messages(tx, tenant_id, turn.session_id, page, inputs_of=turn_id)
    return message_list_body(found)


async def delete_turn(tx: Transaction, tenant_id: str, turn_id: str) -> DeletedBody:
    """Delete a turn outside every conversation; what goes on from it goes on from its parent.

    Of a turn in a conversation only `request` and `metadata` go: the messages are the conversation's. Raises
    NotFoundError.
    """
    found = await _found(tx, tenant_id, turn_id)
    if found.session_kind == RESPONSE:
        await turn_rows.adopt_children(tx, tenant_id, found.turn)
        await session_rows.delete_session(tx, tenant_id, found.turn.session_id, kind=RESPONSE)
    else:
        await turn_rows.forget_request(tx, tenant_id, turn_id)
    return DeletedBody(id=turn_id, object="session.turn.deleted")


async def _found(tx: Transaction, tenant_id: str, turn_id: str) -> TurnInSession:
    found = await turn_rows.find_turn(tx, tenant_id, turn_id)
    if found is None:
        raise NotFoundError("The turn does not exist.")
    return found
