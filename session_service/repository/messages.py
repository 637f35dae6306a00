"""Statements about messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ScalarSelect, Select, and_, delete, func, select, update

from session_service.database import Transaction
from session_service.identifiers import new_message_id, reply_message_id
from session_service.repository.paging import Found, Page, paged
from session_service.tables import MessageTable, TurnTable, UsageRecordTable
from session_service.truncation import CountedMessage
from shared.bodies.messages import Message

FIRST_POSITION = 0
"""A session's system messages stand before it."""


@dataclass(frozen=True, slots=True)
class MessageOfTurn:
    """A message, its turn, and what that turn's job used."""

    message: MessageTable
    turn: TurnTable | None
    usage: UsageRecordTable | None


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
    tx: Transaction, tenant_id: str, session_id: str, turn_id: str | None, messages: Sequence[CountedMessage]
) -> list[MessageTable]:
    """Add new messages at the end. The session must be locked."""
    start = await _next_position(tx, tenant_id, session_id)
    rows = [
        _row(tenant_id, session_id, turn_id, position, counted)
        for position, counted in enumerate(messages, start=start)
    ]
    tx.add_all(rows)
    await tx.flush()
    return rows


async def append_reply(tx: Transaction, tenant_id: str, session_id: str, turn_id: str, reply: CountedMessage) -> None:
    """Add the reply of a turn. A second one breaks the unique index on replies."""
    position = await _next_position(tx, tenant_id, session_id)
    row = _row(tenant_id, session_id, turn_id, position, reply)
    row.id, row.is_reply = reply_message_id(turn_id), True
    tx.add(row)
    await tx.flush()


async def delete_of_turn(tx: Transaction, turn_id: str) -> None:
    """Without a tenant, as turns.give_up_pending is."""
    await tx.execute(delete(MessageTable).where(MessageTable.turn_id == turn_id))


async def delete_message(tx: Transaction, tenant_id: str, session_id: str, message_id: str) -> None:
    await tx.execute(
        delete(MessageTable).where(
            MessageTable.tenant_id == tenant_id, MessageTable.session_id == session_id, MessageTable.id == message_id
        )
    )


async def system_of(tx: Transaction, tenant_id: str, session_id: str) -> list[CountedMessage]:
    """The messages that stand before all others."""
    statement = (
        select(MessageTable)
        .where(
            MessageTable.tenant_id == tenant_id,
            MessageTable.session_id == session_id,
            MessageTable.position < FIRST_POSITION,
        )
        .order_by(MessageTable.position)
    )
    return [counted(row) for row in await tx.scalars(statement)]


async def set_tokens(tx: Transaction, tenant_id: str, tokens_by_id: Mapping[str, int]) -> None:
    """Store what messages count."""
    for message_id, tokens in tokens_by_id.items():
        await tx.execute(
            update(MessageTable)
            .where(MessageTable.tenant_id == tenant_id, MessageTable.id == message_id)
            .values(tokens=tokens)
        )


async def list_messages(
    tx: Transaction, tenant_id: str, session_id: str, page: Page, *, inputs_of: str | None = None
) -> Found[MessageOfTurn]:
    """The session's messages by place; with `inputs_of` only those that this turn began with."""
    statement = _of_turns(tenant_id, session_id)
    if inputs_of is not None:
        statement = statement.where(MessageTable.turn_id == inputs_of, MessageTable.is_reply.is_(False))
    found = await paged(
        tx,
        statement,
        page,
        key=MessageTable.position.expression,
        after=_position_of(tenant_id, session_id, page.after),
        before=_position_of(tenant_id, session_id, page.before),
    )
    return Found([MessageOfTurn(row[0], row[1], row[2]) for row in found.entries], found.has_more)


async def find_message(tx: Transaction, tenant_id: str, session_id: str, message_id: str) -> MessageOfTurn | None:
    row = (await tx.execute(_of_turns(tenant_id, session_id).where(MessageTable.id == message_id))).one_or_none()
    return MessageOfTurn(row[0], row[1], row[2]) if row else None


async def replies_of(tx: Transaction, tenant_id: str, turn_ids: Sequence[str]) -> dict[str, MessageTable]:
    """The replies to these turns, by turn."""
    statement = select(MessageTable).where(
        MessageTable.tenant_id == tenant_id, MessageTable.turn_id.in_(turn_ids), MessageTable.is_reply
    )
    return {str(row.turn_id): row for row in await tx.scalars(statement)}


def counted(row: MessageTable) -> CountedMessage:
    """The row as truncation reads it, without the parts that only its reader wants."""
    message = Message.model_validate(
        {
            "role": row.role,
            "content": row.content,
            "name": row.name,
            "tool_calls": row.tool_calls,
            "tool_call_id": row.tool_call_id,
        }
    )
    return CountedMessage(message, row.tokens, row.id)


def _of_turns(tenant_id: str, session_id: str) -> Select[MessageTable, TurnTable, UsageRecordTable]:
    of_the_reply = and_(UsageRecordTable.job_id == MessageTable.turn_id, MessageTable.is_reply)
    return (
        select(MessageTable, TurnTable, UsageRecordTable)
        .outerjoin(TurnTable, TurnTable.id == MessageTable.turn_id)
        .outerjoin(UsageRecordTable, of_the_reply)
        .where(MessageTable.tenant_id == tenant_id, MessageTable.session_id == session_id)
    )


def _position_of(tenant_id: str, session_id: str, message_id: str | None) -> ScalarSelect[int] | None:
    if message_id is None:
        return None
    return (
        select(MessageTable.position)
        .where(
            MessageTable.tenant_id == tenant_id, MessageTable.session_id == session_id, MessageTable.id == message_id
        )
        .scalar_subquery()
    )


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
    said = counted.message.model_dump(include={"role", "name", "content", "tool_call_id", "parts", "tool_calls"})
    return MessageTable(
        id=new_message_id(),
        tenant_id=tenant_id,
        session_id=session_id,
        turn_id=turn_id,
        position=position,
        tokens=counted.tokens,
        **said,
    )
