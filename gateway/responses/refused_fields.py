"""OpenAI's fields of a response that change the answer and that no model here can honour: refused by name."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from gateway.bodies.refused import Refused


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

    prompt: Refused = Field(default=None, description="refused: there are no stored prompts")
    moderation: Refused = Field(default=None, description="refused: nothing moderates")
    context_management: Refused = Field(default=None, description="refused: nothing compacts; `truncation` drops")


class IgnoredFields(BaseModel):
    """Fields that change nothing here; those that a response repeats are repeated."""

    max_tool_calls: int | None = Field(
        default=None, ge=0, description="ignored: it counts OpenAI's own tools, which are not here"
    )
    prompt_cache_key: str | None = Field(default=None, description="ignored: prompts share their beginnings anyway")
    prompt_cache_retention: Any = Field(default=None, description="ignored: as prompt_cache_key")
    prompt_cache_options: Any = Field(default=None, description="ignored: as prompt_cache_key")
    safety_identifier: str | None = Field(default=None, description="ignored: repeated, nothing else")
    user: str | None = Field(default=None, description="ignored: repeated, nothing else")
    access_programs: Any = Field(default=None, description="ignored: there are none")
    image: Any = Field(default=None, description="ignored: there are no images")
