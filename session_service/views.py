"""Rows as callers see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from session_service.repository.messages import MessageOfTurn
from session_service.repository.sessions import SHOWN, CountedSession
from session_service.repository.turns import TurnInSession
from session_service.repository.usage import ModelUsage
from session_service.tables import MessageTable, TurnTable, UsageRecordTable
from shared.bodies.messages import Message
from shared.bodies.sessions import ForkedFrom, ModelUsageBody, SessionBody, SessionUsageBody
from shared.bodies.stored_messages import StoredMessageBody
from shared.bodies.stored_turns import TurnBody
from shared.bodies.turns import Truncation, TurnUsage

Status = Literal["completed", "in_progress", "incomplete"]

_STATUS_OF_TURN: dict[str, Status] = {
    "done": "completed",
    "pending": "in_progress",
    "cancelled": "incomplete",
    "failed": "incomplete",
}


def session_body(counted: CountedSession, usage: SessionUsageBody | None = None) -> SessionBody:
    session = counted.session
    is_fork = session.forked_from_session_id is not None
    return SessionBody(
        id=session.id,
        created_at=_seconds(session.created_at),
        updated_at=_seconds(session.updated_at),
        title=session.title,
        metadata=session.details,
        message_count=counted.message_count,
        forked_from=ForkedFrom(
            session_id=session.forked_from_session_id or "", message_id=session.forked_from_message_id or ""
        )
        if is_fork
        else None,
        usage=usage,
    )


def session_usage_body(by_model: Sequence[ModelUsage]) -> SessionUsageBody:
    prompt_tokens = sum(used.prompt_tokens for used in by_model)
    completion_tokens = sum(used.completion_tokens for used in by_model)
    return SessionUsageBody(
        turns=sum(used.turns for used in by_model),
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
        cached_tokens=sum(used.cached_tokens for used in by_model),
        by_model=[
            ModelUsageBody(
                model=used.model,
                turns=used.turns,
                prompt_tokens=used.prompt_tokens,
                completion_tokens=used.completion_tokens,
                cached_tokens=used.cached_tokens,
            )
            for used in by_model
        ],
        first_activity_at=min((_seconds(used.first_at) for used in by_model), default=None),
        last_activity_at=max((_seconds(used.last_at) for used in by_model), default=None),
    )


def message_body(found: MessageOfTurn) -> StoredMessageBody:
    return _message_body(found.message, found.turn, found.usage)


def turn_body(found: TurnInSession, reply: MessageTable | None) -> TurnBody:
    turn = found.turn
    return TurnBody.model_validate(
        {
            "id": turn.id,
            "session_id": turn.session_id if found.session_kind == SHOWN else None,
            "parent_turn_id": turn.parent_turn_id,
            "model": turn.model,
            "state": turn.state,
            "finish_reason": turn.finish_reason,
            "error": turn.error,
            "created_at": _seconds(turn.created_at),
            "finished_at": None if turn.finished_at is None else _seconds(turn.finished_at),
            "metadata": turn.details or {},
            "request": turn.request,
            "usage": _usage_of(found.usage),
            "truncation": truncation_of(turn),
            "output": None if reply is None else _message_body(reply, turn, found.usage),
        }
    )


def truncation_of(turn: TurnTable) -> Truncation:
    return Truncation(dropped_messages=turn.dropped_messages, dropped_tokens=turn.dropped_tokens)


def _message_body(message: MessageTable, turn: TurnTable | None, usage: UsageRecordTable | None) -> StoredMessageBody:
    said = Message.model_validate(
        {
            "role": message.role,
            "content": message.content,
            "parts": message.parts,
            "tool_calls": message.tool_calls,
        }
    )
    of_reply: dict[str, Any] = {}
    if turn is not None and message.is_reply:
        of_reply = {"model": turn.model, "usage": _usage_of(usage), "truncation": truncation_of(turn)}
    return StoredMessageBody(
        id=message.id,
        created_at=_seconds(message.created_at),
        turn_id=message.turn_id,
        role=said.role,
        content=said.shown_content,
        name=message.name,
        tool_calls=None if said.tool_calls is None else list(said.tool_calls),
        tool_call_id=message.tool_call_id,
        tokens=message.tokens,
        finish_reason=turn.finish_reason if turn and message.is_reply else None,
        status=_STATUS_OF_TURN[turn.state] if turn else "completed",
        **of_reply,
    )


def _usage_of(record: UsageRecordTable | None) -> TurnUsage | None:
    if record is None:
        return None
    return TurnUsage(
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        cached_tokens=record.cached_tokens,
    )


def _seconds(time: datetime) -> int:
    return int(time.timestamp())
