"""Statements about sessions."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from session_service.database import Transaction
from session_service.repository.paging import Found, Page, paged
from session_service.tables import MessageTable, SessionTable

SHOWN = "session"
"""The kind of the sessions that callers see."""

RESPONSE = "response"
"""The kind of those that hold one turn outside every conversation."""


@dataclass(frozen=True, slots=True)
class CountedSession:
    """A session and how many messages it holds."""

    session: SessionTable
    message_count: int


async def add_session(tx: Transaction, session: SessionTable) -> SessionTable:
    tx.add(session)
    await tx.flush()
    await tx.refresh(session)  # the times are the server's
    return session


async def ensure_response_session(tx: Transaction, tenant_id: str, session_id: str) -> None:
    """Make the session unless it is there; whoever comes second waits until the first has committed."""
    values = {"id": session_id, "tenant_id": tenant_id, "kind": RESPONSE, "details": {}}
    await tx.execute(insert(SessionTable).values(values).on_conflict_do_nothing())


async def find_session(tx: Transaction, tenant_id: str, session_id: str) -> CountedSession | None:
    row = (await tx.execute(_counted(tenant_id).where(SessionTable.id == session_id))).one_or_none()
    return CountedSession(row[0], row[1]) if row else None


async def list_sessions(tx: Transaction, tenant_id: str, page: Page) -> Found[CountedSession]:
    """The tenant's sessions by age."""
    found = await paged(
        tx, _counted(tenant_id), page, key=SessionTable.id.expression, after=page.after, before=page.before
    )
    return Found([CountedSession(row[0], row[1]) for row in found.entries], found.has_more)


async def update_session(tx: Transaction, tenant_id: str, session_id: str, changed: dict[str, Any]) -> bool:
    """Set these columns; False if there is no such session."""
    statement = (
        update(SessionTable)
        .where(SessionTable.tenant_id == tenant_id, SessionTable.id == session_id, SessionTable.kind == SHOWN)
        .values({**changed, "updated_at": func.now()})
        .returning(SessionTable.id)
    )
    return await tx.scalar(statement) is not None


async def delete_session(tx: Transaction, tenant_id: str, session_id: str, *, kind: str = SHOWN) -> bool:
    """Delete the session with its turns and messages; False if there is none."""
    statement = (
        delete(SessionTable)
        .where(SessionTable.tenant_id == tenant_id, SessionTable.id == session_id, SessionTable.kind == kind)
        .returning(SessionTable.id)
    )
    return await tx.scalar(statement) is not None


async def lock_session(
    tx: Transaction, tenant_id: str, session_id: str, *, kind: str | None = None
) -> SessionTable | None:
    """The session, locked against every other turn until the transaction ends; of any kind if none is given."""
    statement = (
        select(SessionTable).where(SessionTable.tenant_id == tenant_id, SessionTable.id == session_id).with_for_update()
    )
    return await tx.scalar(statement if kind is None else statement.where(SessionTable.kind == kind))


async def touch_session(tx: Transaction, tenant_id: str, session_id: str, *, version: int | None = None) -> None:
    """Note that the session has changed now, and its new version if it has one."""
    changed = {"updated_at": func.now()} if version is None else {"updated_at": func.now(), "version": version}
    await tx.execute(
        update(SessionTable).where(SessionTable.tenant_id == tenant_id, SessionTable.id == session_id).values(changed)
    )


def _counted(tenant_id: str) -> Select[SessionTable, int]:
    messages = (
        select(func.count())
        .select_from(MessageTable)
        .where(MessageTable.session_id == SessionTable.id)
        .correlate(SessionTable)
        .scalar_subquery()
    )
    return select(SessionTable, messages).where(SessionTable.tenant_id == tenant_id, SessionTable.kind == SHOWN)
