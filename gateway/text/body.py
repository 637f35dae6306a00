"""POST /v1/completions: OpenAI's request body with Drover's few extras."""

from typing import Annotated

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.ask import Ask
from gateway.bodies.generation import Grammar, Stop, StreamFields, TimedBody
from gateway.bodies.sampling import INT64_MAX, MAX_TOKEN_ID, SamplingFields
from shared.job import Constraint

DEFAULT_MAX_TOKENS = 16
"""OpenAI's."""

MAX_PROMPTS = 128

TokenId = Annotated[int, Field(ge=0, le=MAX_TOKEN_ID)]
TokenIds = Annotated[list[TokenId], Field(min_length=1)]
Prompts = (
    str
    | Annotated[list[str], Field(min_length=1, max_length=MAX_PROMPTS)]
    | TokenIds
    | Annotated[list[TokenIds], Field(min_length=1, max_length=MAX_PROMPTS)]
)


class CompletionBody(SamplingFields, StreamFields, TimedBody):
    """A request to go on with a text. No chat template is applied; several prompts get `n` choices each, in order."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"model": "drover-tiny", "prompt": "Once upon a time", "max_tokens": 32, "stream": True}
        }
    )

    model: str = Field(min_length=1, max_length=256)
    prompt: Prompts = Field(description="a text, several texts, token ids, or several lists of them")
    suffix: str | None = Field(default=None, description="what comes after; for models that can fill in")
    echo: bool | None = None
    max_tokens: int | None = Field(default=None, ge=0, le=INT64_MAX, description="16 if left out; 0 only with echo")
    stop: Stop = None
    n: int | None = Field(default=None, ge=1, le=128, description="choices of each prompt")
    best_of: int | None = Field(default=None, ge=1, le=128, description="the same as n; any other is refused")
    logprobs: int | None = Field(default=None, ge=0, le=20, description="how many likeliest tokens to tell; OpenAI: 5")
    grammar: Grammar = None
    user: str | None = Field(default=None, description="ignored: limits are the key's")

    @field_validator("best_of")
    @classmethod
    def _is_n(cls, best_of: int | None, info: ValidationInfo) -> int | None:
        if best_of is not None and best_of != (info.data.get("n") or 1):
            raise PydanticCustomError("unsupported", "Drover returns what it generates: it must be the same as n.")
        return best_of

    @field_validator("echo")
    @classmethod
    def _is_without_suffix(cls, echo: bool | None, info: ValidationInfo) -> bool | None:
        if echo and info.data.get("suffix") is not None:
            raise PydanticCustomError("unsupported", "A prompt with a suffix cannot be echoed.")
        return echo

    @field_validator("max_tokens")
    @classmethod
    def _leaves_an_answer(cls, max_tokens: int | None, info: ValidationInfo) -> int | None:
        if max_tokens == 0 and not info.data.get("echo"):
            raise PydanticCustomError("nothing_asked", "Only with echo may it be 0.")
        return max_tokens

    @property
    def prompts(self) -> list[str | tuple[int, ...]]:
        """Each prompt by itself."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        if isinstance(self.prompt[0], int):
            return [tuple(self.prompt)]
        return [each if isinstance(each, str) else tuple(each) for each in self.prompt]

    def ask(self, prompt: str | tuple[int, ...]) -> Ask:
        """What is wanted of one of the prompts."""
        return Ask(
            api="completions",
            model=self.model,
            prompt=prompt,
            sampling=self.sampling(),
            max_tokens=DEFAULT_MAX_TOKENS if self.max_tokens is None else self.max_tokens,
            stop=tuple(self.stop or ()),
            choices=self.n or 1,
            echo=bool(self.echo),
            top_logprobs=self.logprobs,
            constraint=None if self.grammar is None else Constraint(kind="gbnf", source=self.grammar),
            has_usage=self.has_usage,
        )
