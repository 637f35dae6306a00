"""Stored conversations: create, list, read, change, delete."""

from typing import Any

from session_service.database import Transaction
from session_service.identifiers import new_session_id
from session_service.repository import messages as message_rows
from session_service.repository import sessions as session_rows
from session_service.repository.paging import Page
from session_service.repository.usage import usage_of_session
from session_service.tables import SessionTable
from session_service.truncation import CountedMessage
from session_service.views import session_body, session_usage_body
from shared.bodies.messages import Message
from shared.bodies.sessions import DeletedBody, OpenSessionBody, SessionBody, SessionListBody, UpdateSessionBody
from shared.errors import SessionNotFoundError


async def create_session(tx: Transaction, tenant_id: str, body: OpenSessionBody) -> SessionBody:
    """Make a session. Its messages have no token count before a turn says which model it is for."""
    made = SessionTable(id=new_session_id(), tenant_id=tenant_id, title=body.title, details=body.metadata)
    session = await session_rows.add_session(tx, made)
    system = [] if body.system is None else [CountedMessage(Message(role="system", content=body.system), 0)]
    await message_rows.replace_system(tx, tenant_id, session.id, system)
    said = [CountedMessage(message, 0) for message in body.messages]
    await message_rows.append(tx, tenant_id, session.id, None, said)
    return await get_session(tx, tenant_id, session.id)


async def list_sessions(tx: Transaction, tenant_id: str, page: Page) -> SessionListBody:
    """The tenant's sessions by age."""
    found = await session_rows.list_sessions(tx, tenant_id, page)
    data = [session_body(counted) for counted in found.entries]
    return SessionListBody(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=found.has_more,
    )


async def get_session(tx: Transaction, tenant_id: str, session_id: str) -> SessionBody:
    """The session with what it has used. Raises SessionNotFoundError, also for another tenant's."""
    found = await session_rows.find_session(tx, tenant_id, session_id)
    if found is None:
        raise SessionNotFoundError()
    return session_body(found, session_usage_body(await usage_of_session(tx, tenant_id, session_id)))


async def require_session(tx: Transaction, tenant_id: str, session_id: str) -> None:
    """Raises SessionNotFoundError, also for another tenant's."""
    if await session_rows.find_session(tx, tenant_id, session_id) is None:
        raise SessionNotFoundError()


async def update_session(tx: Transaction, tenant_id: str, session_id: str, body: UpdateSessionBody) -> SessionBody:
    """Change what `body` names. Raises SessionNotFoundError."""
    changed: dict[str, Any] = {}
    if "title" in body.model_fields_set:
        changed["title"] = body.title
    if "metadata" in body.model_fields_set:
        changed["details"] = body.metadata or {}
    if not await session_rows.update_session(tx, tenant_id, session_id, changed):
        raise SessionNotFoundError()
    return await get_session(tx, tenant_id, session_id)


async def delete_session(tx: Transaction, tenant_id: str, session_id: str) -> DeletedBody:
    """Delete it with all its messages; a turn in progress loses its place. Raises SessionNotFoundError."""
    if not await session_rows.delete_session(tx, tenant_id, session_id):
        raise SessionNotFoundError()
    return DeletedBody(id=session_id, object="session.deleted")
