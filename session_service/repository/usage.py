"""Statements about what jobs used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from session_service.database import Transaction
from session_service.tables import UsageRecordTable


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """What one model's jobs used in a session, and when the first and the last of them ended."""

    model: str
    turns: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    first_at: datetime
    last_at: datetime


async def add_usage(tx: Transaction, record: dict[str, str | int | None]) -> None:
    """Store what a job used; a second record of the same job changes nothing."""
    await tx.execute(insert(UsageRecordTable).values(record).on_conflict_do_nothing())


async def usage_of_session(tx: Transaction, tenant_id: str, session_id: str) -> Sequence[ModelUsage]:
    """By model, in the order of their names."""
    record = UsageRecordTable
    statement = (
        select(
            record.model,
            func.count(),
            func.sum(record.prompt_tokens),
            func.sum(record.completion_tokens),
            func.sum(record.cached_tokens),
            func.min(record.created_at),
            func.max(record.created_at),
        )
        .where(record.tenant_id == tenant_id, record.session_id == session_id)
        .group_by(record.model)
        .order_by(record.model)
    )
    return [ModelUsage(*row) for row in await tx.execute(statement)]
