"""A response's `text`: what its text must be."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from gateway.bodies.response_format import Schema
from shared.job import Constraint


class TextFormat(BaseModel):
    """Text, any JSON object, or JSON that follows a schema, with or without `strict`."""

    model_config = ConfigDict(strict=True, populate_by_name=True, serialize_by_alias=True)

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = Field(default=None, pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = Field(default=None, max_length=10_000)
    json_schema: Schema | None = Field(default=None, alias="schema")
    strict: bool | None = None

    def described(self) -> dict[str, Any]:
        if self.type != "json_schema":
            return {"type": self.type}
        return self.model_dump()

    def constraint(self) -> Constraint | None:
        """What the worker must hold the text to; None for plain text."""
        if self.type == "text":
            return None
        if self.type == "json_object":
            return Constraint(kind="json_object")
        return Constraint(kind="json_schema", source=orjson.dumps(self.json_schema).decode())


def _whole(given: Any) -> Any:
    """A schema needs itself and a name."""
    if isinstance(given, dict) and given.get("type") == "json_schema":
        for name in ("name", "schema"):
            if given.get(name) is None:
                raise PydanticCustomError("incomplete", "The type json_schema needs {name}.", {"name": name})
    return given


class TextConfig(BaseModel):
    """The format, and how many words a model makes: no model here can be told that, so only the usual is taken."""

    model_config = ConfigDict(strict=True)

    format: Annotated[TextFormat, BeforeValidator(_whole)] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None

    @field_validator("verbosity")
    @classmethod
    def _is_the_usual(cls, verbosity: str | None) -> str | None:
        if verbosity in (None, "medium"):
            return verbosity
        raise PydanticCustomError("unsupported", "No model here has such a dial; say it in the instructions.")

    def described(self) -> dict[str, Any]:
        verbosity = {} if self.verbosity is None else {"verbosity": self.verbosity}
        return {"format": {"type": "text"} if self.format is None else self.format.described(), **verbosity}
