"""How the next token is chosen, as a request says it: OpenAI's names, then llama.cpp's."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from shared.job import SamplingParams

INT64_MAX = 2**63 - 1
MAX_TOKEN_ID = 2**31 - 1
MAX_BIASED_TOKENS = 300
"""OpenAI's."""

MAX_SEQUENCE_BREAKERS = 16
Tokens = Annotated[int, Field(ge=-1, le=1_000_000)]
"""A number of tokens to look back; -1: the whole context."""


class SamplingFields(BaseModel):
    """Every field may be null or left out, which means its default."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=1_000_000)
    min_p: float | None = Field(default=None, ge=0, le=1)
    typical_p: float | None = Field(default=None, ge=0, le=1)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    repeat_penalty: float | None = Field(default=None, gt=0, le=10)
    repeat_last_n: Tokens | None = None
    dry_multiplier: float | None = Field(default=None, ge=0, le=100, description="0: off")
    dry_base: float | None = Field(default=None, ge=1, le=100)
    dry_allowed_length: int | None = Field(default=None, ge=0, le=1_000_000)
    dry_penalty_last_n: Tokens | None = None
    dry_sequence_breakers: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=40)]], Field(max_length=MAX_SEQUENCE_BREAKERS)]
        | None
    ) = None
    mirostat: int | None = Field(default=None, ge=0, le=2)
    mirostat_tau: float | None = Field(default=None, ge=0, le=100)
    mirostat_eta: float | None = Field(default=None, ge=0, le=1)
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = Field(
        default=None, description="by token id; -100 forbids a token, 100 forces it"
    )
    seed: int | None = Field(
        default=None, ge=-INT64_MAX - 1, le=INT64_MAX, description="the same one, mostly the same text"
    )
    min_tokens: int | None = Field(default=None, ge=0, le=INT64_MAX)
    ignore_eos: bool | None = None

    @field_validator("logit_bias")
    @classmethod
    def _is_by_token_id(cls, biases: dict[str, float] | None) -> dict[str, float] | None:
        if biases is None:
            return None
        if len(biases) > MAX_BIASED_TOKENS:
            raise PydanticCustomError("too_many", "At most {most} tokens can be biased.", {"most": MAX_BIASED_TOKENS})
        for name in biases:
            is_id = name.isascii() and name.isdigit() and len(name) <= 10 and int(name) <= MAX_TOKEN_ID
            if not is_id:
                raise PydanticCustomError("no_token_id", 'The keys must be token ids, like "1734".')
        return biases

    def sampling(self) -> SamplingParams:
        named = {name: getattr(self, name) for name in SamplingFields.model_fields}
        named["logit_bias"] = {int(token): bias for token, bias in (self.logit_bias or {}).items()}
        return SamplingParams(**{name: value for name, value in named.items() if value is not None})
