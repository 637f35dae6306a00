"""Models as GET /v1/models shows them: OpenAI's fields, and what Drover's catalogue knows besides."""

from typing import Literal, Self

from pydantic import BaseModel

from shared.catalogue import ModelEntry


class ModelBody(BaseModel):
    """One model. `created` in seconds since the epoch, `context_length` in tokens, `parent`: an adapter's base."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    kind: Literal["chat", "embedding"]
    context_length: int
    description: str
    parent: str | None = None

    @classmethod
    def of(cls, entry: ModelEntry) -> Self:
        return cls(
            id=entry.name,
            created=entry.created,
            owned_by=entry.owned_by,
            kind=entry.kind,
            context_length=entry.context_length,
            description=entry.description,
            parent=entry.base or None,
        )


class ModelListBody(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[ModelBody]
