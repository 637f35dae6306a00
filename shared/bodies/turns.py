"""A turn (new messages and the reply to them), and the token counts around it: gateway to session service."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue, StringConstraints

from shared.bodies.messages import Message
from shared.bodies.tools import Tool

TurnState = Literal["pending", "done", "cancelled", "failed"]

MetadataName = Annotated[str, StringConstraints(max_length=64)]
MetadataText = Annotated[str, StringConstraints(max_length=512)]
Metadata = Annotated[dict[MetadataName, MetadataText], Field(max_length=16)]
"""OpenAI's limits. A list of sessions shows the metadata of all of them, so it must stay small."""


class BeginTurnBody(BaseModel):
    """POST /internal/turns: store the new messages, truncate the history, open the turn.

    `messages` are the new ones only. `request_id` is the Idempotency-Key or a fresh id; the same id with another
    `body_hash` is a 422.

    In a session system messages come first (they replace the session's), the last message is a user's or a tool's, and
    one turn at a time may be open. Without a session (OpenAI's responses) the history is that of `parent_turn_id`, the
    turn that this one goes on from, and of its parents; any number of turns may go on from one parent at once.

    `instructions` are a system message of this prompt alone, and so are `tools`; calls of `tool_names` (None: of all
    tools) are looked for in the reply. With `is_stored` false nothing is written: the answer has the prompt, no
    session, and an id that nobody can ask for later. `truncation` "disabled" refuses what does not fit.
    `request` is kept as it is and given back with the turn: what a response repeats of its request.
    """

    tenant_id: str
    session_id: str | None = None
    request_id: str
    body_hash: str
    model: str
    messages: list[Message]
    tools: tuple[Tool, ...] = ()
    tool_names: tuple[str, ...] | None = None
    max_tokens: int | None = None
    parent_turn_id: str | None = None
    instructions: str | None = None
    is_stored: bool = True
    truncation: Literal["auto", "disabled"] = "auto"
    request: dict[str, JsonValue] | None = None
    metadata: Metadata | None = None


class Truncation(BaseModel):
    """What was left out of the prompt."""

    dropped_messages: int = 0
    dropped_tokens: int = 0


class TurnUsage(BaseModel):
    """Tokens of one turn's job."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


class BegunTurnBody(BaseModel):
    """`turn_id` is the job's id too. `is_replay`: the turn existed already, attach to its job, do not accept again.

    `session_id` goes into the job: by it the reply is stored. None for a turn that is not stored.
    """

    turn_id: str
    session_id: str | None = None
    state: TurnState
    is_replay: bool
    messages: list[Message]
    prompt_tokens: int
    truncation: Truncation = Field(default_factory=Truncation)


class CountTokensBody(BaseModel):
    """POST /internal/prompts/count: the tokens of a whole prompt, template included, by the model's own vocabulary."""

    model: str
    messages: list[Message]
    tools: tuple[Tool, ...] = ()


class TokenCountBody(BaseModel):
    """`prompt_tokens` as the worker will see them."""

    prompt_tokens: int
