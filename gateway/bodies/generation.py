"""Fields that OpenAI's generating endpoints have in common."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

MAX_STOP_STRINGS = 4
"""OpenAI's."""

MAX_GRAMMAR_CHARACTERS = 65_536


def _as_list(stop: Any) -> Any:
    return [stop] if isinstance(stop, str) else stop


StopString = Annotated[str, Field(min_length=1, max_length=1000)]
Stop = Annotated[
    Annotated[list[StopString], Field(max_length=MAX_STOP_STRINGS)] | None,
    BeforeValidator(_as_list),
    Field(description="a string or up to four"),
]
Grammar = Annotated[
    Annotated[str, Field(min_length=1, max_length=MAX_GRAMMAR_CHARACTERS)] | None,
    Field(description="llama.cpp's GBNF, where allowed"),
]


class StreamOptions(BaseModel):
    """What a stream tells beside the text."""

    model_config = ConfigDict(strict=True)

    include_usage: bool | None = None
    include_obfuscation: bool | None = Field(default=None, description="ignored: nothing is added to hide lengths")


class StreamFields(BaseModel):
    """Whether the answer comes as a stream, and what that tells beside the text."""

    stream: bool | None = None
    stream_options: StreamOptions | None = Field(default=None, description="`include_usage`; only with stream")

    @field_validator("stream_options")
    @classmethod
    def _needs_a_stream(cls, options: StreamOptions | None, info: ValidationInfo) -> StreamOptions | None:
        if options is not None and "stream" in info.data and not info.data["stream"]:
            raise PydanticCustomError("needs_stream", "It is only allowed when 'stream' is true.")
        return options

    @property
    def has_usage(self) -> bool:
        """Whether the stream is to tell the usage, too."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)


class TimedBody(BaseModel):
    """A request with a deadline of its own."""

    timeout_s: float | None = Field(default=None, gt=0, le=86_400, description="Drover: the request's deadline")
