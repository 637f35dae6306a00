"""OpenAI's fields of a chat request that Drover refuses, for they would change the answer, or takes without effect."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from gateway.bodies.refused import Refused, refused_unless
from shared.bodies.turns import Metadata


class RefusedFields(BaseModel):
    """These may be there when they say nothing. An empty `web_search_options` is a search."""

    audio: Refused = Field(default=None, description="refused: no model here speaks")
    modalities: Annotated[Any, refused_unless([], ["text"])] = Field(
        default=None, description="refused: all but text is"
    )
    moderation: Refused = Field(default=None, description="refused: nothing moderates")
    web_search_options: Annotated[Any, refused_unless(False)] = Field(
        default=None, description="refused: nothing searches the web"
    )


class IgnoredFields(BaseModel):
    """Fields that change nothing here."""

    metadata: Metadata | None = Field(default=None, description="ignored: only sessions and responses keep it")
    prediction: Any = Field(default=None, description="ignored: it would save time, the answer is the same")
    prompt_cache_key: Any = Field(default=None, description="ignored: prompts share their beginnings anyway")
    prompt_cache_options: Any = Field(default=None, description="ignored: as prompt_cache_key")
    prompt_cache_retention: Any = Field(default=None, description="ignored: as prompt_cache_key")
    reasoning_effort: Any = Field(default=None, description="ignored: no model here has such a dial")
    safety_identifier: Any = Field(default=None, description="ignored: nothing is reported")
    store: Any = Field(default=None, description="ignored: `session_id` keeps a conversation")
    user: str | None = Field(default=None, description="ignored: limits are the key's")
    verbosity: Any = Field(default=None, description="ignored: no model here has such a dial")
