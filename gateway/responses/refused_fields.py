"""OpenAI's fields of a response that change the answer and that no model here can honour: refused by name."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

REFUSED = ("prompt", "moderation", "context_management")
WITHOUT_EFFECT: tuple[Any, ...] = (None, [], {})
"""What clients send in those fields when they want nothing of them."""


class Reasoning(BaseModel):
    """No model here reasons apart from its answer: an effort is refused, a summary of nothing is nothing."""

    model_config = ConfigDict(strict=True)

    effort: str | None = Field(default=None, description="none, or left out")
    summary: str | None = Field(default=None, description="ignored: there is nothing to sum up")
    mode: str | None = Field(default=None, description="standard, or left out")

    @field_validator("effort", "mode")
    @classmethod
    def _is_without_effect(cls, value: str | None) -> str | None:
        if value in (None, "none", "standard"):
            return value
        raise PydanticCustomError("unsupported", "No model here has such a dial; leave it out.")


class RefusedFields(BaseModel):
    """These may be there when they say nothing."""

    prompt: Any = Field(default=None, description="refused: there are no stored prompts")
    moderation: Any = Field(default=None, description="refused: nothing moderates")
    context_management: Any = Field(default=None, description="refused: nothing compacts; `truncation` drops")

    @field_validator(*REFUSED, mode="before")
    @classmethod
    def _is_without_effect(cls, value: Any) -> Any:
        if value in WITHOUT_EFFECT:
            return None
        raise PydanticCustomError("unsupported", "This parameter is not supported; leave it out.")


class IgnoredFields(BaseModel):
    """Fields that change nothing here; those that a response repeats are repeated."""

    max_tool_calls: int | None = Field(default=None, ge=0, description="of OpenAI's own tools, which are not here")
    prompt_cache_key: str | None = Field(default=None, description="ignored: prompts share their beginnings anyway")
    prompt_cache_retention: Any = Field(default=None, description="ignored")
    prompt_cache_options: Any = Field(default=None, description="ignored")
    safety_identifier: str | None = Field(default=None, description="repeated, nothing else")
    user: str | None = Field(default=None, description="repeated, nothing else")
    access_programs: Any = Field(default=None, description="ignored")
    image: Any = Field(default=None, description="ignored: there are no images")
