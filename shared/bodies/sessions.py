"""Stored conversations, as /v1/sessions shows them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from shared.bodies.messages import Message
from shared.bodies.turns import Metadata


class CreateSessionBody(BaseModel):
    """POST /v1/sessions."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"title": "A talk", "system": "Answer in one sentence."}}
    )

    title: str | None = Field(default=None, max_length=200)
    system: str | None = Field(default=None, description="the session's system message")
    metadata: Metadata = Field(default_factory=dict)


class OpenSessionBody(CreateSessionBody):
    """POST /internal/sessions: `messages` are already in it when it opens."""

    messages: list[Message] = Field(default_factory=list, max_length=100)


class _AsItWasSaid(BaseModel):
    """Passed on with what was named and nothing else: to the session service a null and nothing are different words."""

    model_config = ConfigDict(extra="forbid")

    @model_serializer(mode="wrap")
    def _only_what_was_set(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialise(self).items() if name in self.model_fields_set}


class UpdateSessionBody(_AsItWasSaid):
    """PATCH /v1/sessions/{id}: what is not named stays as it is, a null takes it away."""

    model_config = ConfigDict(json_schema_extra={"example": {"title": "A talk about cats"}})

    title: str | None = Field(default=None, max_length=200)
    metadata: Metadata | None = Field(default=None, description="in place of all that there is")


class ForkSessionBody(_AsItWasSaid):
    """POST /v1/sessions/{id}/fork. Title and metadata are the first session's unless they are given."""

    model_config = ConfigDict(json_schema_extra={"example": {"message_id": "msg_0198c0de", "inclusive": False}})

    message_id: str = Field(min_length=1, max_length=128, description="the last message of the common history")
    inclusive: bool = Field(default=True, description="false: up to that message and without it, to put it differently")
    title: str | None = Field(default=None, max_length=200)
    metadata: Metadata | None = None


class ForkedFrom(BaseModel):
    """Where a session comes from. Both may have been deleted since."""

    session_id: str
    message_id: str


class ModelUsageBody(BaseModel):
    """What one model has used in a session."""

    model: str
    turns: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


class SessionUsageBody(BaseModel):
    """What a session's ended turns have used. Times are seconds since the epoch, None before a turn has ended."""

    turns: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int
    by_model: list[ModelUsageBody]
    first_activity_at: int | None
    last_activity_at: int | None


class SessionBody(BaseModel):
    """One session. Times are seconds since the epoch. `usage` is not given in lists."""

    id: str
    object: Literal["session"] = "session"
    created_at: int
    updated_at: int
    title: str | None
    metadata: dict[str, str]
    message_count: int
    forked_from: ForkedFrom | None = None
    usage: SessionUsageBody | None = None


class SessionListBody(BaseModel):
    """GET /v1/sessions, newest first; `after` takes last_id for the next page."""

    object: Literal["list"] = "list"
    data: list[SessionBody]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedBody(BaseModel):
    """What a DELETE answers."""

    id: str
    object: str
    deleted: Literal[True] = True
