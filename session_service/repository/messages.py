"""Statements about messages."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update

from session_service.database import Transaction
from session_service.identifiers import new_message_id
from session_service.tables import MessageTable, TurnTable
from session_service.truncation import CountedMessage
from shared.bodies.messages import Message

FIRST_POSITION = 0
"""System messages stand before it."""


@dataclass(frozen=True, slots=True)
class Totals:
    """All messages that a prompt may draw on, system messages left out."""

    messages: int
    tokens: int


async def replace_system(tx: Transaction, tenant_id: str, session_id: str, messages: Sequence[CountedMessage]) -> None:
    """Make `messages` the session's system messages, in place of those that it has."""
    await tx.execute(
        delete(MessageTable).where(
            MessageTable.tenant_id == tenant_id,
            MessageTable.session_id == session_id,
            MessageTable.position < FIRST_POSITION,
        )
    )
    rows = [
        _row(tenant_id, session_id, None, position, counted)
        for position, counted in enumerate(messages, start=FIRST_POSITION - len(messages))
    ]
    tx.add_all(rows)
    await tx.flush()


async def append(
    tx: Transaction, tenant_id: str, session_id: str, turn_id: str, messages: Sequence[CountedMessage]
) -> None:
    """Add a turn's new messages at the end. The session must be locked."""
    start = await _next_position(tx, tenant_id, session_id)
    rows = [
        _row(tenant_id, session_id, turn_id, position, counted)
        for position, counted in enumerate(messages, start=start)
    ]
    tx.add_all(rows)
    await tx.flush()


async def append_reply(
    tx: Transaction, tenant_id: str, session_id: str, turn_id: str, content: str, tokens: int
) -> None:
    """Add the reply of a turn. A second one breaks the unique index on replies."""
    position = await _next_position(tx, tenant_id, session_id)
    counted = CountedMessage(Message(role="assistant", content=content), tokens)
    row = _row(tenant_id, session_id, turn_id, position, counted)
    row.is_reply = True
    tx.add(row)
    await tx.flush()


async def delete_of_turn(tx: Transaction, turn_id: str) -> None:
    """Without a tenant, as turns.give_up_pending is."""
    await tx.execute(delete(MessageTable).where(MessageTable.turn_id == turn_id))


async def system_of(tx: Transaction, tenant_id: str, session_id: str) -> list[CountedMessage]:
    statement = (
        select(MessageTable)
        .where(
            MessageTable.tenant_id == tenant_id,
            MessageTable.session_id == session_id,
            MessageTable.position < FIRST_POSITION,
        )
        .order_by(MessageTable.position)
    )
    return [_counted(row) for row in await tx.scalars(statement)]


async def set_system_tokens(
    tx: Transaction, tenant_id: str, session_id: str, messages: Sequence[CountedMessage]
) -> None:
    """Store the counts of the session's system messages, given in their order."""
    for position, counted in enumerate(messages, start=FIRST_POSITION - len(messages)):
        await tx.execute(
            update(MessageTable)
            .where(
                MessageTable.tenant_id == tenant_id,
                MessageTable.session_id == session_id,
                MessageTable.position == position,
            )
            .values(tokens=counted.tokens)
        )


async def totals_of_history(tx: Transaction, tenant_id: str, session_id: str) -> Totals:
    statement = (
        select(func.count(), func.coalesce(func.sum(MessageTable.tokens), 0))
        .select_from(MessageTable)
        .join(TurnTable, TurnTable.id == MessageTable.turn_id)
        .where(MessageTable.tenant_id == tenant_id, MessageTable.session_id == session_id, TurnTable.state == "done")
    )
    return Totals(*(await tx.execute(statement)).one())


async def newest_of_history(tx: Transaction, tenant_id: str, session_id: str, tokens: int) -> list[CountedMessage]:
    """The newest messages of finished turns, oldest first: as many as hold `tokens` together, and one more."""
    newer = func.sum(MessageTable.tokens).over(order_by=MessageTable.position.desc()) - MessageTable.tokens
    ranked = (
        select(MessageTable.id, newer.label("newer_tokens"))
        .join(TurnTable, TurnTable.id == MessageTable.turn_id)
        .where(MessageTable.tenant_id == tenant_id, MessageTable.session_id == session_id, TurnTable.state == "done")
        .subquery()
    )
    statement = (
        select(MessageTable)
        .join(ranked, ranked.c.id == MessageTable.id)
        .where(ranked.c.newer_tokens <= tokens)
        .order_by(MessageTable.position)
    )
    return [_counted(row) for row in await tx.scalars(statement)]


async def list_messages(
    tx: Transaction, tenant_id: str, session_id: str, after: str | None, limit: int
) -> list[tuple[MessageTable, TurnTable | None]]:
    """At most `limit` messages that follow `after`, oldest first, each with its turn."""
    statement = (
        select(MessageTable, TurnTable)
        .outerjoin(TurnTable, TurnTable.id == MessageTable.turn_id)
        .where(MessageTable.tenant_id == tenant_id, MessageTable.session_id == session_id)
        .order_by(MessageTable.position)
        .limit(limit)
    )
    if after is not None:
        mark = (
            select(MessageTable.position)
            .where(MessageTable.tenant_id == tenant_id, MessageTable.session_id == session_id, MessageTable.id == after)
            .scalar_subquery()
        )
        statement = statement.where(MessageTable.position > mark)
    return [(row[0], row[1]) for row in await tx.execute(statement)]


async def _next_position(tx: Transaction, tenant_id: str, session_id: str) -> int:
    newest = await tx.scalar(
        select(func.max(MessageTable.position)).where(
            MessageTable.tenant_id == tenant_id,
            MessageTable.session_id == session_id,
            MessageTable.position >= FIRST_POSITION,
        )
    )
    return FIRST_POSITION if newest is None else newest + 1


def _row(tenant_id: str, session_id: str, turn_id: str | None, position: int, counted: CountedMessage) -> MessageTable:
    return MessageTable(
        id=new_message_id(),
        tenant_id=tenant_id,
        session_id=session_id,
        turn_id=turn_id,
        position=position,
        role=counted.message.role,
        name=counted.message.name,
        content=counted.message.content,
        tokens=counted.tokens,
    )


def _counted(row: MessageTable) -> CountedMessage:
    message = Message.model_validate({"role": row.role, "content": row.content, "name": row.name})
    return CountedMessage(message, row.tokens)
