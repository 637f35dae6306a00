"""A turn (a user message and its reply), and the token counts around it: gateway to session service."""

from typing import Literal

from pydantic import BaseModel, Field

from shared.bodies.messages import Message

TurnState = Literal["pending", "done", "cancelled", "failed"]


class BeginTurnBody(BaseModel):
    """POST /internal/turns: store the new messages, truncate the history, open the turn.

    `messages` are the new ones only: system messages (they replace the session's), then one or more ending in a user
    or tool message. `request_id` is the Idempotency-Key or a fresh id; the same id with another `body_hash` is a 422.
    """

    tenant_id: str
    session_id: str
    request_id: str
    body_hash: str
    model: str
    messages: list[Message]
    max_tokens: int | None = None


class Truncation(BaseModel):
    """What was left out of the prompt."""

    dropped_messages: int = 0
    dropped_tokens: int = 0


class BegunTurnBody(BaseModel):
    """`turn_id` is the job's id too. `is_replay`: the turn existed already, attach to its job, do not accept again."""

    turn_id: str
    state: TurnState
    is_replay: bool
    messages: list[Message]
    prompt_tokens: int
    truncation: Truncation = Field(default_factory=Truncation)


class CountTokensBody(BaseModel):
    """POST /internal/prompts/count: the tokens of a whole prompt, template included, by the model's own vocabulary."""

    model: str
    messages: list[Message]


class TokenCountBody(BaseModel):
    """`prompt_tokens` as the worker will see them."""

    prompt_tokens: int
