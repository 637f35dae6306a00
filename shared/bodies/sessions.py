"""Stored conversations, as /v1/sessions shows them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.bodies.messages import Role

MetadataName = Annotated[str, StringConstraints(max_length=64)]
MetadataText = Annotated[str, StringConstraints(max_length=512)]
"""OpenAI's limits. A list of sessions shows the metadata of all of them, so it must stay small."""


class CreateSessionBody(BaseModel):
    """POST /v1/sessions."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(default=None, max_length=200)
    system: str | None = Field(default=None, description="the session's system message")
    metadata: dict[MetadataName, MetadataText] = Field(default_factory=dict, max_length=16)


class SessionBody(BaseModel):
    """One session. Times are seconds since the epoch."""

    id: str
    object: Literal["session"] = "session"
    created_at: int
    updated_at: int
    title: str | None
    metadata: dict[str, str]
    message_count: int


class SessionListBody(BaseModel):
    """GET /v1/sessions, newest first; `after` takes last_id for the next page."""

    object: Literal["list"] = "list"
    data: list[SessionBody]
    first_id: str | None
    last_id: str | None
    has_more: bool


class StoredMessageBody(BaseModel):
    """One message of a session. `status`: in_progress while its turn runs, incomplete when that was cut short."""

    id: str
    object: Literal["session.message"] = "session.message"
    created_at: int
    turn_id: str | None
    role: Role
    content: str
    tokens: int
    finish_reason: str | None
    status: Literal["completed", "in_progress", "incomplete"] = "completed"


class StoredMessageListBody(BaseModel):
    """GET /v1/sessions/{id}/messages, oldest first."""

    object: Literal["list"] = "list"
    data: list[StoredMessageBody]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedBody(BaseModel):
    """What a DELETE answers."""

    id: str
    object: str
    deleted: Literal[True] = True
