"""Stored messages, as /v1/sessions/{id}/messages shows them."""

from typing import Literal

from pydantic import BaseModel, Field

from shared.bodies.messages import Message, Role, TextPart, ToolCall
from shared.bodies.turns import Truncation, TurnUsage


class StoredMessageBody(BaseModel):
    """One message of a session. Times are seconds since the epoch.

    `status`: in_progress while its turn runs, incomplete when that was cut short. `tokens` counts the content alone, 0
    until a turn has said by which vocabulary. A reply has its turn's model, usage and truncation besides.
    """

    id: str
    object: Literal["session.message"] = "session.message"
    created_at: int
    turn_id: str | None
    role: Role
    content: str | list[TextPart] | None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    tokens: int
    finish_reason: str | None
    status: Literal["completed", "in_progress", "incomplete"] = "completed"
    model: str | None = None
    usage: TurnUsage | None = None
    truncation: Truncation | None = None


class StoredMessageListBody(BaseModel):
    """A page of messages, in the order asked for."""

    object: Literal["list"] = "list"
    data: list[StoredMessageBody]
    first_id: str | None
    last_id: str | None
    has_more: bool


class AppendMessagesBody(BaseModel):
    """POST /internal/sessions/{id}/messages: add messages that no turn made."""

    messages: list[Message] = Field(min_length=1, max_length=100)
