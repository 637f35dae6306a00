"""`response_format`: what the text of an answer must be, in OpenAI's shape."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.schema_limits import SchemaRefusedError, check_schema
from shared.job import Constraint


def _within_limits(schema: Any) -> Any:
    try:
        check_schema(schema)
    except SchemaRefusedError as refusal:
        raise PydanticCustomError("schema_refused", "{reason}", {"reason": str(refusal)}) from refusal
    return schema


Schema = Annotated[dict[str, Any], BeforeValidator(_within_limits)]


class JsonSchemaFormat(BaseModel):
    """A schema and its name. With or without `strict` the answer always follows the schema."""

    model_config = ConfigDict(strict=True, populate_by_name=True, serialize_by_alias=True)

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = Field(default=None, max_length=10_000)
    json_schema: Schema | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseFormat(BaseModel):
    """Text, any JSON object, or JSON that follows a schema; `schema` beside json_object is llama.cpp's short form."""

    model_config = ConfigDict(strict=True, populate_by_name=True, serialize_by_alias=True)

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = Field(default=None, validate_default=True)
    short_schema: Schema | None = Field(default=None, alias="schema")

    @field_validator("json_schema")
    @classmethod
    def _is_there_when_named(cls, given: JsonSchemaFormat | None, info: ValidationInfo) -> JsonSchemaFormat | None:
        if given is None and info.data.get("type") == "json_schema":
            raise PydanticCustomError("missing", "The type json_schema needs it.")
        return given

    def constraint(self) -> Constraint | None:
        """What the worker must hold the text to; None for plain text."""
        if self.type == "text":
            return None
        schema = self.short_schema
        if self.type == "json_schema":
            schema = self.json_schema.json_schema if self.json_schema else None
        if schema is None:
            return Constraint(kind="json_object")
        return Constraint(kind="json_schema", source=orjson.dumps(schema).decode())
