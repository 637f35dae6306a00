"""Stored conversations: create, list, read, delete."""

from session_service.database import Transaction
from session_service.repository import messages as message_rows
from session_service.repository import sessions as session_rows
from session_service.repository.sessions import CountedSession
from session_service.tables import MessageTable, TurnTable
from session_service.truncation import CountedMessage
from shared.bodies.messages import Message
from shared.bodies.sessions import (
    CreateSessionBody,
    DeletedBody,
    SessionBody,
    SessionListBody,
    StoredMessageBody,
    StoredMessageListBody,
)
from shared.errors import SessionNotFoundError

_STATUS_OF_TURN = {"done": "completed", "pending": "in_progress", "cancelled": "incomplete", "failed": "incomplete"}


async def create_session(tx: Transaction, tenant_id: str, body: CreateSessionBody) -> SessionBody:
    """Make a session. Its system message has no token count before a turn says which model it is for."""
    session = await session_rows.add_session(tx, tenant_id, body.title, body.metadata)
    system = [] if body.system is None else [CountedMessage(Message(role="system", content=body.system), 0)]
    await message_rows.replace_system(tx, tenant_id, session.id, system)
    return _session_body(CountedSession(session, len(system)))


async def list_sessions(tx: Transaction, tenant_id: str, after: str | None, limit: int) -> SessionListBody:
    """The tenant's sessions, newest first."""
    found = await session_rows.list_sessions(tx, tenant_id, after, limit + 1)
    data = [_session_body(counted) for counted in found[:limit]]
    return SessionListBody(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


async def get_session(tx: Transaction, tenant_id: str, session_id: str) -> SessionBody:
    """Raises SessionNotFoundError, also for another tenant's."""
    found = await session_rows.find_session(tx, tenant_id, session_id)
    if found is None:
        raise SessionNotFoundError()
    return _session_body(found)


async def delete_session(tx: Transaction, tenant_id: str, session_id: str) -> DeletedBody:
    """Delete it with all its messages; a turn in progress loses its place. Raises SessionNotFoundError."""
    if not await session_rows.delete_session(tx, tenant_id, session_id):
        raise SessionNotFoundError()
    return DeletedBody(id=session_id, object="session.deleted")


async def list_messages(
    tx: Transaction, tenant_id: str, session_id: str, after: str | None, limit: int
) -> StoredMessageListBody:
    """The session's messages, oldest first, the system messages before all others. Raises SessionNotFoundError."""
    await get_session(tx, tenant_id, session_id)
    found = await message_rows.list_messages(tx, tenant_id, session_id, after, limit + 1)
    data = [_message_body(message, turn) for message, turn in found[:limit]]
    return StoredMessageListBody(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


def _session_body(counted: CountedSession) -> SessionBody:
    session = counted.session
    return SessionBody(
        id=session.id,
        created_at=int(session.created_at.timestamp()),
        updated_at=int(session.updated_at.timestamp()),
        title=session.title,
        metadata=session.details,
        message_count=counted.message_count,
    )


def _message_body(message: MessageTable, turn: TurnTable | None) -> StoredMessageBody:
    return StoredMessageBody.model_validate(
        {
            "id": message.id,
            "created_at": int(message.created_at.timestamp()),
            "turn_id": message.turn_id,
            "role": message.role,
            "content": message.content,
            "tokens": message.tokens,
            "finish_reason": turn.finish_reason if turn and message.is_reply else None,
            "status": _STATUS_OF_TURN[turn.state] if turn else "completed",
        }
    )
