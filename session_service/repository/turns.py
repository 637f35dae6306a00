"""Statements about turns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, select, update

from session_service.database import Transaction
from session_service.repository.paging import Found, Page, paged
from session_service.tables import SessionTable, TurnTable, UsageRecordTable
from shared.bodies.turns import TurnState


@dataclass(frozen=True, slots=True)
class TurnInSession:
    """A turn, the kind of its session, and what its job used."""

    turn: TurnTable
    session_kind: str
    usage: UsageRecordTable | None


async def add_turn(tx: Transaction, turn: TurnTable) -> None:
    tx.add(turn)
    await tx.flush()


async def find_turn(tx: Transaction, tenant_id: str, turn_id: str) -> TurnInSession | None:
    row = (await tx.execute(_in_sessions(tenant_id).where(TurnTable.id == turn_id))).one_or_none()
    return TurnInSession(row[0], row[1], row[2]) if row else None


async def list_turns(tx: Transaction, tenant_id: str, session_id: str, page: Page) -> Found[TurnInSession]:
    """The session's turns in their order."""

    def seq_of(turn_id: str | None) -> Any:
        at = TurnTable.tenant_id == tenant_id, TurnTable.session_id == session_id, TurnTable.id == turn_id
        return None if turn_id is None else select(TurnTable.seq).where(*at).scalar_subquery()

    found = await paged(
        tx,
        _in_sessions(tenant_id).where(TurnTable.session_id == session_id),
        page,
        key=TurnTable.seq.expression,
        after=seq_of(page.after),
        before=seq_of(page.before),
    )
    return Found([TurnInSession(row[0], row[1], row[2]) for row in found.entries], found.has_more)


async def find_by_request(tx: Transaction, tenant_id: str, session_id: str, request_id: str) -> TurnTable | None:
    statement = select(TurnTable).where(
        TurnTable.tenant_id == tenant_id, TurnTable.session_id == session_id, TurnTable.request_id == request_id
    )
    return await tx.scalar(statement)


async def find_pending(
    tx: Transaction, tenant_id: str, *, session_id: str | None, turn_id: str | None
) -> TurnTable | None:
    """The pending turn of that session, or that turn if it is pending."""
    statement = select(TurnTable).where(TurnTable.tenant_id == tenant_id, TurnTable.state == "pending")
    where = TurnTable.session_id == session_id if session_id is not None else TurnTable.id == turn_id
    return await tx.scalar(statement.where(where))


async def finish_pending(
    tx: Transaction, tenant_id: str, turn_id: str, state: TurnState, finish_reason: str, error: dict[str, Any] | None
) -> None:
    """End the turn, unless it has ended already. Its session must be locked."""
    await tx.execute(
        update(TurnTable)
        .where(TurnTable.tenant_id == tenant_id, TurnTable.id == turn_id, TurnTable.state == "pending")
        .values(state=state, finish_reason=finish_reason, error=error, finished_at=func.now())
    )


async def give_up_pending(tx: Transaction, turn_id: str) -> bool:
    """End a turn whose job was never accepted and set its request id free; False if it has ended already.

    Without a tenant: whoever calls has found the turn as its tenant, or is the sweeper.
    """
    statement = (
        update(TurnTable)
        .where(TurnTable.id == turn_id, TurnTable.state == "pending")
        .values(state="failed", finish_reason="error", request_id=None, finished_at=func.now())
        .returning(TurnTable.id)
    )
    return await tx.scalar(statement) is not None


async def find_given_up(tx: Transaction, tenant_id: str, session_id: str, body_hash: str) -> TurnTable | None:
    """The session's last turn, if it was given up and had this body."""
    statement = (
        select(TurnTable)
        .where(TurnTable.tenant_id == tenant_id, TurnTable.session_id == session_id)
        .order_by(TurnTable.seq.desc())
        .limit(1)
    )
    last = await tx.scalar(statement)
    return last if last is not None and last.request_id is None and last.body_hash == body_hash else None


async def find_of_any_tenant(tx: Transaction, turn_id: str) -> tuple[TurnTable, str] | None:
    """The turn with the kind of its session."""
    statement = (
        select(TurnTable, SessionTable.kind)
        .join(SessionTable, SessionTable.id == TurnTable.session_id)
        .where(TurnTable.id == turn_id)
    )
    row = (await tx.execute(statement)).one_or_none()
    return (row[0], row[1]) if row else None


async def adopt_children(tx: Transaction, tenant_id: str, turn: TurnTable) -> None:
    """Have the turns that go on from `turn`, which is about to be deleted, go on from its own parent."""
    # Whoever has just begun to go on from it holds a share of its row until the new turn is there to be seen.
    await tx.execute(select(TurnTable.id).where(TurnTable.id == turn.id).with_for_update())
    await tx.execute(
        update(TurnTable)
        .where(TurnTable.tenant_id == tenant_id, TurnTable.parent_turn_id == turn.id)
        .values(parent_turn_id=turn.parent_turn_id)
    )


async def forget_request(tx: Transaction, tenant_id: str, turn_id: str) -> None:
    """Take away what its beginner wanted back."""
    await tx.execute(
        update(TurnTable)
        .where(TurnTable.tenant_id == tenant_id, TurnTable.id == turn_id)
        .values({TurnTable.request: None, TurnTable.details: None})
    )


async def pending_for(tx: Transaction, age_s: float, limit: int) -> Sequence[TurnTable]:
    """Turns of all tenants that have been pending for `age_s`, oldest first."""
    statement = (
        select(TurnTable)
        .where(TurnTable.state == "pending", TurnTable.created_at < func.now() - timedelta(seconds=age_s))
        .order_by(TurnTable.created_at)
        .limit(limit)
    )
    return (await tx.scalars(statement)).all()


def _in_sessions(tenant_id: str) -> Select[TurnTable, str, UsageRecordTable]:
    return (
        select(TurnTable, SessionTable.kind, UsageRecordTable)
        .join(SessionTable, SessionTable.id == TurnTable.session_id)
        .outerjoin(UsageRecordTable, UsageRecordTable.job_id == TurnTable.id)
        .where(TurnTable.tenant_id == tenant_id)
    )
