"""`tools` and `tool_choice`: the functions that a model may call, and which of them it should, in OpenAI's shapes."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.schema_limits import SchemaRefusedError, check_schema
from shared.bodies.tools import Tool, ToolChoice

MAX_TOOLS = 128
"""OpenAI's."""
MAX_TOOLS_BYTES = 262_144
"""Of all schemas together: each is read again by every worker that takes the job."""

NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}

DEPRECATED: Any = {"deprecated": True}
"""In the schema alone: Pydantic's own mark would warn our log of every request."""

FunctionName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


def object_schema(schema: Any) -> Any:
    """A schema of arguments, as it is. Raises PydanticCustomError for one that is no object's, or too much."""
    if isinstance(schema, dict) and "$ref" not in schema and schema.get("type", "object") != "object":
        raise PydanticCustomError("no_object", 'Arguments are an object: the schema\'s type must be "object".')
    try:
        check_schema(schema)
    except SchemaRefusedError as refusal:
        raise PydanticCustomError("schema_refused", "{reason}", {"reason": str(refusal)}) from refusal
    return schema


Parameters = Annotated[dict[str, Any], BeforeValidator(object_schema)]


def only_functions(kind: Any) -> Any:
    """OpenAI's name for functions. Raises PydanticCustomError for its other kinds of tools, which it names."""
    if isinstance(kind, str) and kind != "function":
        raise PydanticCustomError("unsupported", "Tools of the type {kind} are not supported; only those of the type "
                                  "function are.", {"kind": kind[:64]})  # fmt: skip
    return kind


FunctionType = Annotated[Literal["function"], BeforeValidator(only_functions)]


class FunctionBody(BaseModel):
    """A function. Without `parameters` it takes no arguments. Arguments always follow the schema as far as a grammar
    can hold to it; with `strict` a schema that it cannot hold to is refused."""

    model_config = ConfigDict(strict=True)

    name: FunctionName
    description: str | None = Field(default=None, max_length=16_384)
    parameters: Parameters | None = None
    strict: bool | None = None

    def as_tool(self) -> Tool:
        return Tool(
            name=self.name,
            description=self.description or "",
            parameters=NO_PARAMETERS if self.parameters is None else self.parameters,
            strict=bool(self.strict),
        )


class FunctionToolBody(BaseModel):
    """A tool of chat completions: a function under its own name."""

    model_config = ConfigDict(strict=True)

    type: FunctionType
    function: FunctionBody

    def as_tool(self) -> Tool:
        return self.function.as_tool()


def fit_together(bodies: Any) -> Any:
    """Bodies of tools, of any API, as they are. Raises PydanticCustomError where two have one name, or all together
    are too much."""
    tools: list[Tool] = [body.as_tool() for body in bodies]
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise PydanticCustomError("two_tools", "Two of them have the name {name}.", {"name": twice})
    if sum(len(orjson.dumps(tool.parameters)) for tool in tools) > MAX_TOOLS_BYTES:
        raise PydanticCustomError("too_large", "Their schemas may be {most} bytes long in all.",
                                  {"most": MAX_TOOLS_BYTES})  # fmt: skip
    return bodies


Tools = Annotated[list[FunctionToolBody], Field(max_length=MAX_TOOLS), AfterValidator(fit_together)]
Functions = Annotated[list[FunctionBody], Field(max_length=MAX_TOOLS), AfterValidator(fit_together)]


class FunctionNameBody(BaseModel):
    """A function by its name alone."""

    model_config = ConfigDict(strict=True)

    name: FunctionName


class NamedToolBody(BaseModel):
    """`tool_choice`: call this one."""

    model_config = ConfigDict(strict=True)

    type: FunctionType
    function: FunctionNameBody


class AllowedToolsBody(BaseModel):
    """These of the tools alone may be called, or must."""

    model_config = ConfigDict(strict=True)

    mode: Literal["auto", "required"]
    tools: list[NamedToolBody] = Field(min_length=1, max_length=MAX_TOOLS)


class AllowedToolsChoiceBody(BaseModel):
    """`tool_choice`: of these."""

    model_config = ConfigDict(strict=True)

    type: Literal["allowed_tools"]
    allowed_tools: AllowedToolsBody


Mode = Literal["none", "auto", "required"]


class ToolFields(BaseModel):
    """A chat request's tools; `functions` and `function_call` are OpenAI's names before there were tools."""

    model_config = ConfigDict(strict=True)

    tools: Tools | None = Field(default=None, description="functions")
    functions: Functions | None = Field(default=None, json_schema_extra=DEPRECATED)
    tool_choice: Mode | NamedToolBody | AllowedToolsChoiceBody | None = Field(
        default=None, description="none, auto, required, a function by its name, or `allowed_tools`"
    )
    function_call: Literal["none", "auto"] | FunctionNameBody | None = Field(default=None, json_schema_extra=DEPRECATED)
    parallel_tool_calls: bool | None = Field(default=None, description="false: at most one call")

    @field_validator("functions")
    @classmethod
    def _is_not_beside_tools(cls, functions: Any, info: ValidationInfo) -> Any:
        if functions and info.data.get("tools"):
            raise PydanticCustomError("twice", "Functions are tools: leave this out and name them all in 'tools'.")
        return functions

    @field_validator("tool_choice", "function_call")
    @classmethod
    def _is_one_of_them(cls, choice: Any, info: ValidationInfo) -> Any:
        offered = "tools" if info.field_name == "tool_choice" else "functions"
        if offered not in info.data or choice in (None, "none", "auto"):
            return choice
        names = {tool.as_tool().name for tool in info.data[offered] or ()}
        if not names:
            raise PydanticCustomError("no_tools", f"It is only allowed together with '{offered}'.")
        for name in _chosen(choice):
            if name not in names:
                raise PydanticCustomError("unknown_tool", "None of the functions has the name {name}.", {"name": name})
        return choice

    @property
    def is_legacy(self) -> bool:
        """Whether the caller wants `function_call` in the answer, for tools were not known yet."""
        return bool(self.functions)

    def asked_tools(self) -> tuple[Tool, ...]:
        return tuple(body.as_tool() for body in self.tools or self.functions or ())

    def asked_choice(self) -> ToolChoice:
        choice = self.function_call if self.is_legacy else self.tool_choice
        if choice is None:
            return ToolChoice()
        if isinstance(choice, str):
            return ToolChoice(mode=choice)
        if isinstance(choice, AllowedToolsChoiceBody):
            return ToolChoice(mode=choice.allowed_tools.mode, allowed=tuple(_chosen(choice)))
        return ToolChoice(mode="required", name=_chosen(choice)[0])


def _chosen(choice: Any) -> list[str]:
    """The names of the functions that a choice names."""
    if isinstance(choice, AllowedToolsChoiceBody):
        return [tool.function.name for tool in choice.allowed_tools.tools]
    if isinstance(choice, NamedToolBody):
        return [choice.function.name]
    return [choice.name] if isinstance(choice, FunctionNameBody) else []
