"""Statements about turns and what their jobs used."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from session_service.database import Transaction
from session_service.tables import TurnTable, UsageRecordTable
from shared.bodies.turns import TurnState


async def add_turn(tx: Transaction, turn: TurnTable) -> None:
    tx.add(turn)
    await tx.flush()


async def find_by_request(tx: Transaction, tenant_id: str, session_id: str, request_id: str) -> TurnTable | None:
    statement = select(TurnTable).where(
        TurnTable.tenant_id == tenant_id, TurnTable.session_id == session_id, TurnTable.request_id == request_id
    )
    return await tx.scalar(statement)


async def has_pending(tx: Transaction, tenant_id: str, session_id: str) -> bool:
    statement = select(TurnTable.id).where(
        TurnTable.tenant_id == tenant_id, TurnTable.session_id == session_id, TurnTable.state == "pending"
    )
    return await tx.scalar(statement) is not None


async def finish_pending(tx: Transaction, tenant_id: str, turn_id: str, state: TurnState, finish_reason: str) -> bool:
    """End the turn; False if it has ended already or does not exist."""
    statement = (
        update(TurnTable)
        .where(TurnTable.tenant_id == tenant_id, TurnTable.id == turn_id, TurnTable.state == "pending")
        .values(state=state, finish_reason=finish_reason, finished_at=func.now())
        .returning(TurnTable.id)
    )
    return await tx.scalar(statement) is not None


async def give_up_pending(tx: Transaction, turn_id: str) -> bool:
    """End a turn whose job was never accepted and set its request id free; False if it has ended already.

    Without a tenant: it is never called for a client, only by who began the turn and by the sweeper.
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


async def exists(tx: Transaction, turn_id: str) -> bool:
    return await tx.get(TurnTable, turn_id) is not None


async def pending_for(tx: Transaction, age_s: float, limit: int) -> Sequence[TurnTable]:
    """Turns of all tenants that have been pending for `age_s`, oldest first."""
    statement = (
        select(TurnTable)
        .where(TurnTable.state == "pending", TurnTable.created_at < func.now() - timedelta(seconds=age_s))
        .order_by(TurnTable.created_at)
        .limit(limit)
    )
    return (await tx.scalars(statement)).all()


async def add_usage(tx: Transaction, record: dict[str, str | int | None]) -> None:
    """Store what a job used; a second record of the same job changes nothing."""
    await tx.execute(insert(UsageRecordTable).values(record).on_conflict_do_nothing())
