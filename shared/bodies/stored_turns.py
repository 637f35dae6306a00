"""Stored turns: what a session's history of turns and a retrieved response are made of."""

from typing import Any, Literal

from pydantic import BaseModel, JsonValue

from shared.bodies.stored_messages import StoredMessageBody
from shared.bodies.turns import Truncation, TurnState, TurnUsage


class TurnBody(BaseModel):
    """One turn. Times are seconds since the epoch.

    `session_id` is None for a turn outside every conversation. `request` is what began the turn with it, None if
    nothing did. `output` is None until the turn has ended.
    """

    id: str
    object: Literal["session.turn"] = "session.turn"
    session_id: str | None
    parent_turn_id: str | None
    model: str
    state: TurnState
    finish_reason: str | None
    error: dict[str, Any] | None
    created_at: int
    finished_at: int | None
    metadata: dict[str, str]
    request: dict[str, JsonValue] | None
    usage: TurnUsage | None
    truncation: Truncation
    output: StoredMessageBody | None


class TurnListBody(BaseModel):
    """A page of turns, in the order asked for."""

    object: Literal["list"] = "list"
    data: list[TurnBody]
    first_id: str | None
    last_id: str | None
    has_more: bool
