"""POST /v1/chat/completions: OpenAI's request body with Drover's few extras."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.ask import Ask, TurnAsk
from gateway.bodies.generation import Stop, StreamOptions, TimeoutS
from gateway.bodies.messages import MessageBody, as_messages
from gateway.bodies.response_format import ResponseFormat
from gateway.bodies.sampling import INT64_MAX, SamplingFields
from gateway.bodies.tools import ToolFields
from shared.job import Constraint, Priority

MAX_MESSAGES = 2048
"""OpenAI's. Rendering and counting cost time by the message: a body full of empty ones would keep others waiting."""
MAX_GRAMMAR_CHARACTERS = 65_536

UNSUPPORTED = (
    "modalities",
    "audio",
    "prediction",
    "web_search_options",
)
"""OpenAI's fields that change the answer and that Drover cannot honour yet: refused, never silently ignored."""

WITHOUT_EFFECT: tuple[Any, ...] = (None, False, [], {}, 0, ["text"])
"""What clients send in those fields when they want nothing of them."""


class UnsupportedFields(BaseModel):
    """The unsupported fields, so that they can be refused by name."""

    modalities: Any = None
    audio: Any = None
    prediction: Any = None
    web_search_options: Any = None

    @field_validator(*UNSUPPORTED, mode="before")
    @classmethod
    def _is_without_effect(cls, value: Any) -> Any:
        if value in WITHOUT_EFFECT:
            return None
        raise PydanticCustomError("unsupported", "This parameter is not supported yet; leave it out.")


class ChatCompletionBody(SamplingFields, ToolFields, UnsupportedFields):
    """A chat request. In a session `messages` are the new ones only: the session service adds the history."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "drover-tiny",
                "messages": [{"role": "user", "content": "What is the capital of France?"}],
                "stream": True,
            }
        }
    )

    model: str = Field(min_length=1, max_length=256)
    messages: list[MessageBody] = Field(min_length=1, max_length=MAX_MESSAGES)
    max_tokens: int | None = Field(default=None, ge=1, le=INT64_MAX)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=INT64_MAX)
    stop: Stop = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, ge=1, le=128, description="choices")
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    grammar: str | None = Field(
        default=None, min_length=1, max_length=MAX_GRAMMAR_CHARACTERS, description="llama.cpp's GBNF, where allowed"
    )
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = Field(
        default=None, description="flex: when there is room beside the others; all else is the default"
    )
    user: str | None = None
    metadata: dict[str, str] | None = None

    session_id: str | None = Field(default=None, min_length=1, max_length=128, description="Drover: go on with it")
    timeout_s: TimeoutS | None = None

    @field_validator("top_logprobs")
    @classmethod
    def _needs_logprobs(cls, top: int | None, info: ValidationInfo) -> int | None:
        if top and not info.data.get("logprobs"):
            raise PydanticCustomError("needs_logprobs", "It is only allowed when 'logprobs' is true.")
        return top

    @field_validator("grammar")
    @classmethod
    def _is_the_only_rule(cls, grammar: str | None, info: ValidationInfo) -> str | None:
        given = info.data.get("response_format")
        if grammar is not None and given is not None and given.type != "text":
            raise PydanticCustomError("two_rules", "An answer follows a grammar or a response_format, not both.")
        if grammar is not None and (info.data.get("tools") or info.data.get("functions")):
            raise PydanticCustomError("two_rules", "An answer follows a grammar or calls tools, not both.")
        return grammar

    @property
    def wanted_logprobs(self) -> int | None:
        """How many likeliest tokens to tell beside each chosen one; None: no logprobs."""
        return (self.top_logprobs or 0) if self.logprobs else None

    def ask(self) -> Ask:
        return Ask(
            api="chat",
            model=self.model,
            messages=as_messages(self.messages, has_history=self.session_id is not None),
            turn=None if self.session_id is None else TurnAsk(self.session_id),
            sampling=self.sampling(),
            max_tokens=self.token_limit,
            stop=tuple(self.stop or ()),
            choices=self.n or 1,
            top_logprobs=self.wanted_logprobs,
            constraint=self.constraint,
            tools=self.asked_tools(),
            tool_choice=self.asked_choice(),
            parallel_tool_calls=self.parallel_tool_calls is not False and not self.is_legacy,
            is_legacy=self.is_legacy,
            priority=self.priority,
            tier=self.told_tier,
            has_usage=self.stream_options is not None and self.stream_options.include_usage,
        )

    @property
    def constraint(self) -> Constraint | None:
        if self.grammar is not None:
            return Constraint(kind="gbnf", source=self.grammar)
        return self.response_format.constraint() if self.response_format is not None else None

    @property
    def priority(self) -> Priority:
        return "batch" if self.service_tier == "flex" else "interactive"

    @property
    def told_tier(self) -> str | None:
        """The tier that serves the request, told only to who named one."""
        return {None: None, "flex": "flex"}.get(self.service_tier, "default")

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens
