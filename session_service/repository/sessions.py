"""Statements about sessions."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, delete, func, select, update

from session_service.database import Transaction
from session_service.identifiers import new_session_id
from session_service.tables import MessageTable, SessionTable


@dataclass(frozen=True, slots=True)
class CountedSession:
    """A session and how many messages it holds."""

    session: SessionTable
    message_count: int


async def add_session(tx: Transaction, tenant_id: str, title: str | None, details: dict[str, str]) -> SessionTable:
    session = SessionTable(id=new_session_id(), tenant_id=tenant_id, title=title, details=details)
    tx.add(session)
    await tx.flush()
    await tx.refresh(session)  # the times are the server's
    return session


async def find_session(tx: Transaction, tenant_id: str, session_id: str) -> CountedSession | None:
    row = (await tx.execute(_counted(tenant_id).where(SessionTable.id == session_id))).one_or_none()
    return CountedSession(row[0], row[1]) if row else None


async def list_sessions(tx: Transaction, tenant_id: str, after: str | None, limit: int) -> Sequence[CountedSession]:
    """At most `limit` sessions older than `after`, newest first."""
    statement = _counted(tenant_id).order_by(SessionTable.id.desc()).limit(limit)
    if after is not None:
        statement = statement.where(SessionTable.id < after)
    return [CountedSession(row[0], row[1]) for row in await tx.execute(statement)]


async def delete_session(tx: Transaction, tenant_id: str, session_id: str) -> bool:
    """Delete the session with its turns and messages; False if there is none."""
    statement = (
        delete(SessionTable)
        .where(SessionTable.tenant_id == tenant_id, SessionTable.id == session_id)
        .returning(SessionTable.id)
    )
    return await tx.scalar(statement) is not None


async def lock_session(tx: Transaction, tenant_id: str, session_id: str) -> SessionTable | None:
    """The session, locked against every other turn until the transaction ends."""
    statement = (
        select(SessionTable).where(SessionTable.tenant_id == tenant_id, SessionTable.id == session_id).with_for_update()
    )
    return await tx.scalar(statement)


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
    return select(SessionTable, messages).where(SessionTable.tenant_id == tenant_id)
