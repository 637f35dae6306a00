"""POST /v1/chat/completions: OpenAI's request body with Drover's few extras."""

from typing import Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.ask import Ask, TurnAsk
from gateway.bodies.generation import Grammar, Stop, StreamFields, TimedBody
from gateway.bodies.messages import MessageBodies, as_messages
from gateway.bodies.response_format import ResponseFormat
from gateway.bodies.sampling import INT64_MAX, SamplingFields
from gateway.bodies.tools import ToolFields
from gateway.chat.refused_fields import IgnoredFields, RefusedFields
from shared.job import Constraint, Priority


class ChatCompletionBody(SamplingFields, ToolFields, StreamFields, TimedBody, RefusedFields, IgnoredFields):
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
    messages: MessageBodies
    max_tokens: int | None = Field(default=None, ge=1, le=INT64_MAX, description="left out: as many as fit")
    max_completion_tokens: int | None = Field(default=None, ge=1, le=INT64_MAX, description="wins over max_tokens")
    stop: Stop = None
    n: int | None = Field(default=None, ge=1, le=128, description="choices")
    logprobs: bool | None = Field(default=None, description="over what the model itself thinks, before any sampling")
    top_logprobs: int | None = Field(default=None, ge=0, le=20, description="only with logprobs")
    response_format: ResponseFormat | None = Field(
        default=None, description="`text`, `json_object` or `json_schema`; always held to, with or without strict"
    )
    grammar: Grammar = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = Field(
        default=None, description="flex: when there is room beside the others; all else is the default"
    )

    session_id: str | None = Field(default=None, min_length=1, max_length=128, description="Drover: go on with it")

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
            has_usage=self.has_usage,
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
