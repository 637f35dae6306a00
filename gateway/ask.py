"""What a caller wants of a model, whichever API it was said in."""

import hashlib
from dataclasses import dataclass, field
from time import time
from typing import Any, Literal

import orjson
from pydantic import BaseModel

from shared.bodies.keys import Identity
from shared.bodies.messages import Message
from shared.bodies.tools import Tool, ToolChoice
from shared.job import AnswerForm, Constraint, Priority, SamplingParams
from shared.ledger import Idempotency


@dataclass(frozen=True, slots=True)
class TurnAsk:
    """What makes a request a turn of a stored conversation; the fields are those of BeginTurnBody."""

    session_id: str | None = None
    parent_turn_id: str | None = None
    instructions: str | None = None
    is_stored: bool = True
    truncation: Literal["auto", "disabled"] = "auto"
    request: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request without the words of its API: each API's body makes one of itself.

    `messages`, or a `prompt` (text or token ids) that goes to the model as it is. In a `turn` the messages are the new
    ones only. `max_tokens` is each choice's. `has_usage`: a stream tells the usage, too. `tier` is told if it is given.
    `is_background`: the job goes on without anybody who reads it. `is_legacy`: a call is told as OpenAI's older clients
    read it.
    """

    api: Literal["chat", "completions", "responses", "messages", "native"]
    model: str
    messages: tuple[Message, ...] = ()
    prompt: str | tuple[int, ...] | None = None
    turn: TurnAsk | None = None
    sampling: SamplingParams = field(default_factory=SamplingParams)
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1
    echo: bool = False
    top_logprobs: int | None = None
    constraint: Constraint | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    parallel_tool_calls: bool = True
    is_legacy: bool = False
    priority: Priority = "interactive"
    tier: str | None = None
    has_usage: bool = False
    is_background: bool = False

    @property
    def session_id(self) -> str | None:
        return self.turn.session_id if self.turn is not None else None

    @property
    def form(self) -> AnswerForm:
        names = () if self.tool_choice.mode == "none" else tuple(tool.name for tool in self.tools)
        return AnswerForm(api=self.api, choices=self.choices, tool_names=names, is_legacy=self.is_legacy)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and who asks. `timeout_s` is its deadline; `created` in seconds since the epoch."""

    identity: Identity
    ask: Ask
    timeout_s: float
    body_hash: str
    idempotency_key: str | None = None
    created: int = field(default_factory=lambda: int(time()))

    @property
    def on_disconnect(self) -> Literal["cancel", "detach"]:
        """Who sends an Idempotency-Key means to come back."""
        return "cancel" if self.idempotency_key is None and not self.ask.is_background else "detach"

    @property
    def idempotency(self) -> Idempotency | None:
        """For the ledger; a turn keeps its request id in Postgres instead.

        An API's keys are its own: the same body may mean something to another one, whose answer reads otherwise.
        """
        is_kept = self.ask.turn is not None and self.ask.turn.is_stored
        if self.idempotency_key is None or is_kept:
            return None
        prefix = "" if self.ask.api == "chat" else f"{self.ask.api}#"  # chat's were here before there were others
        return Idempotency(f"{prefix}{self.idempotency_key}", self.body_hash)


def hash_of(body: BaseModel) -> str:
    """By which the same request is known when it comes again."""
    said = body.model_dump(exclude_unset=True)
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()
