"""Forks: a new session with the history of another one up to a message."""

from session_service.database import Transaction
from session_service.identifiers import new_session_id
from session_service.repository import messages as message_rows
from session_service.repository import sessions as session_rows
from session_service.repository.forks import copy_history
from session_service.repository.sessions import SHOWN
from session_service.sessions import get_session
from session_service.tables import SessionTable
from shared.bodies.sessions import ForkSessionBody, SessionBody
from shared.errors import NotFoundError, SessionBusyError, SessionNotFoundError


async def fork_session(tx: Transaction, tenant_id: str, session_id: str, body: ForkSessionBody) -> SessionBody:
    """Copy the session up to the message, and note in the copy where it comes from.

    The message's own turn counts as ended well in the copy, since somebody has asked for it. Raises
    SessionNotFoundError, NotFoundError for a message of no or another session, SessionBusyError for one whose turn is
    still in progress.
    """
    source = await session_rows.lock_session(tx, tenant_id, session_id, kind=SHOWN)
    if source is None:
        raise SessionNotFoundError()
    found = await message_rows.find_message(tx, tenant_id, session_id, body.message_id)
    if found is None:
        raise NotFoundError("The session has no such message.", param="message_id")
    if body.inclusive and found.turn is not None and found.turn.state == "pending":
        raise SessionBusyError()
    fork = SessionTable(
        id=new_session_id(),
        tenant_id=tenant_id,
        title=body.title if "title" in body.model_fields_set else source.title,
        details=source.details if body.metadata is None else body.metadata,
        forked_from_session_id=source.id,
        forked_from_message_id=found.message.id,
    )
    await session_rows.add_session(tx, fork)
    await copy_history(
        tx,
        tenant_id,
        source.id,
        fork.id,
        position=found.message.position if body.inclusive else found.message.position - 1,
        asked_for=found.message.turn_id if body.inclusive else None,
    )
    return await get_session(tx, tenant_id, fork.id)
