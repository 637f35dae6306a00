"""POST /v1/chat/completions: OpenAI's request body with Drover's few extras."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from gateway.bodies.messages import MessageBody
from shared.job import SamplingParams

MAX_STOP_STRINGS = 4
MAX_MESSAGES = 2048
"""OpenAI's. Rendering and counting cost time by the message: a body full of empty ones would keep others waiting."""
INT64_MAX = 2**63 - 1

UNSUPPORTED = (
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "response_format",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "modalities",
    "audio",
    "prediction",
    "web_search_options",
)
"""OpenAI's fields that change the answer and that Drover cannot honour yet: refused, never silently ignored."""

WITHOUT_EFFECT: tuple[Any, ...] = (None, False, [], {}, 0, "none", "auto", ["text"], {"type": "text"})
"""What clients send in those fields when they want nothing of them."""


StopString = Annotated[str, Field(min_length=1, max_length=1000)]


def as_list(stop: Any) -> Any:
    return [stop] if isinstance(stop, str) else stop


class StreamOptions(BaseModel):
    """What a stream tells beside the text."""

    model_config = ConfigDict(strict=True)

    include_usage: bool = False


class SamplingFields(BaseModel):
    """How the next token is chosen; null means the default."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=1_000_000)
    min_p: float | None = Field(default=None, ge=0, le=1)
    typical_p: float | None = Field(default=None, ge=0, le=1)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    repeat_penalty: float | None = Field(default=None, gt=0, le=10)
    seed: int | None = Field(default=None, ge=-INT64_MAX - 1, le=INT64_MAX)
    ignore_eos: bool | None = None

    def sampling(self) -> SamplingParams:
        named = {name: getattr(self, name) for name in SamplingFields.model_fields}
        return SamplingParams(**{name: value for name, value in named.items() if value is not None})


class UnsupportedFields(BaseModel):
    """The unsupported fields, so that they can be refused by name."""

    tools: Any = None
    tool_choice: Any = None
    functions: Any = None
    function_call: Any = None
    response_format: Any = None
    logprobs: Any = None
    top_logprobs: Any = None
    logit_bias: Any = None
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


class ChatCompletionBody(SamplingFields, UnsupportedFields):
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
    stop: Annotated[
        Annotated[list[StopString], Field(max_length=MAX_STOP_STRINGS)] | None,
        BeforeValidator(as_list),
        Field(description="a string or up to four"),
    ] = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, ge=1)
    user: str | None = None
    metadata: dict[str, str] | None = None

    session_id: str | None = Field(default=None, min_length=1, max_length=128, description="Drover: go on with it")
    timeout_s: float | None = Field(default=None, gt=0, le=86_400, description="Drover: the request's deadline")

    @field_validator("n")
    @classmethod
    def _is_one(cls, n: int | None) -> int | None:
        if n not in (None, 1):
            raise PydanticCustomError("unsupported", "Only one choice per request is supported; ask again for more.")
        return n

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage
