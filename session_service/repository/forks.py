"""Statements that copy the beginning of a session into another one, inside Postgres."""

from typing import Any

from sqlalchemy import ColumnElement, case, func, insert, literal, null, or_, select, update

from session_service.database import Transaction
from session_service.tables import MessageTable, SessionTable, TurnTable


async def copy_history(
    tx: Transaction, tenant_id: str, source_id: str, target_id: str, *, position: int, asked_for: str | None
) -> None:
    """Copy what stands up to `position`, turns and system messages included, into the empty session.

    The turn `asked_for` counts as ended well in the copy. A turn that loses its reply loses its finish reason.
    """
    message, turn = MessageTable, TurnTable
    is_copied = (message.tenant_id == tenant_id, message.session_id == source_id, message.position <= position)
    has_reply = select(message.id).where(*is_copied, message.turn_id == turn.id, message.is_reply).exists()
    turns = select(
        _copied_id(target_id, turn.id),
        turn.tenant_id,
        literal(target_id),
        turn.seq,
        literal(""),  # no request has this hash: nobody's retry takes the copy's place
        turn.model,
        case((turn.id == asked_for, "done"), else_=turn.state),
        turn.prompt_tokens,
        turn.dropped_messages,
        turn.dropped_tokens,
        case((has_reply, turn.finish_reason), else_=null()),
        turn.created_at,
        turn.finished_at,
        turn.error,
    ).where(
        turn.tenant_id == tenant_id,
        turn.session_id == source_id,
        turn.state != "pending",
        select(message.id).where(*is_copied, message.turn_id == turn.id).exists(),
    )
    messages = (
        select(
            literal("msg_") + _copied_id(target_id, message.id),
            message.tenant_id,
            literal(target_id),
            case((message.turn_id.is_not(None), _copied_id(target_id, func.coalesce(message.turn_id, "")))),
            *(getattr(message, name) for name in _AS_THEY_ARE),
        )
        .outerjoin(turn, turn.id == message.turn_id)
        .where(*is_copied, or_(message.turn_id.is_(None), turn.state != "pending"))
    )
    await tx.execute(insert(turn).from_select(_TURN_COLUMNS, turns))
    await tx.execute(insert(message).from_select(["id", "tenant_id", "session_id", "turn_id", *_AS_THEY_ARE], messages))
    last_seq = select(func.coalesce(func.max(turn.seq), 0)).where(turn.session_id == target_id).scalar_subquery()
    await tx.execute(
        update(SessionTable)
        .where(SessionTable.tenant_id == tenant_id, SessionTable.id == target_id)
        .values(version=last_seq)
    )


_TURN_COLUMNS = [
    "id",
    "tenant_id",
    "session_id",
    "seq",
    "body_hash",
    "model",
    "state",
    "prompt_tokens",
    "dropped_messages",
    "dropped_tokens",
    "finish_reason",
    "created_at",
    "finished_at",
    "error",
]
_AS_THEY_ARE = [
    "position",
    "role",
    "name",
    "content",
    "tokens",
    "is_reply",
    "created_at",
    "parts",
    "tool_calls",
    "tool_call_id",
]


def _copied_id(target_id: str, original_id: Any) -> ColumnElement[str]:
    """32 hex digits, the same for the same original wherever the copy speaks of it."""
    digest = func.sha256(func.convert_to(literal(f"{target_id}:") + original_id, "UTF8"))
    return func.left(func.encode(digest, "hex"), 32)
