"""Fields that OpenAI's generating endpoints have in common."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MAX_STOP_STRINGS = 4
"""OpenAI's."""


def _as_list(stop: Any) -> Any:
    return [stop] if isinstance(stop, str) else stop


StopString = Annotated[str, Field(min_length=1, max_length=1000)]
Stop = Annotated[
    Annotated[list[StopString], Field(max_length=MAX_STOP_STRINGS)] | None,
    BeforeValidator(_as_list),
    Field(description="a string or up to four"),
]
TimeoutS = Annotated[float, Field(gt=0, le=86_400, description="Drover: the request's deadline")]


class StreamOptions(BaseModel):
    """What a stream tells beside the text."""

    model_config = ConfigDict(strict=True)

    include_usage: bool = False
