"""A response's `tools` and `tool_choice`: flat where those of chat completions are nested."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.bodies.tools import MAX_TOOLS, FunctionBody, FunctionName, FunctionType, fit_together, only_functions
from shared.bodies.tools import Tool, ToolChoice


class FunctionTool(FunctionBody):
    """A function that the model may call."""

    type: FunctionType


def _known_kind(given: Any) -> Any:
    """Before the rest is looked at: OpenAI's own tools have fields of their own."""
    if isinstance(given, dict):
        only_functions(given.get("type"))
    return given


class NamedTool(BaseModel):
    """`tool_choice`: call this one."""

    model_config = ConfigDict(strict=True)

    type: FunctionType
    name: FunctionName


class AllowedTools(BaseModel):
    """`tool_choice`: these of the tools alone may be called, or must."""

    model_config = ConfigDict(strict=True)

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[NamedTool] = Field(min_length=1, max_length=MAX_TOOLS)


Choice = Literal["none", "auto", "required"]


def _names_in(choice: Any) -> list[str]:
    if isinstance(choice, AllowedTools):
        return [tool.name for tool in choice.tools]
    return [choice.name] if isinstance(choice, NamedTool) else []


class ToolFields(BaseModel):
    """The tools of a response."""

    model_config = ConfigDict(strict=True)

    tools: (
        Annotated[
            list[Annotated[FunctionTool, BeforeValidator(_known_kind)]],
            Field(max_length=MAX_TOOLS),
            AfterValidator(fit_together),
        ]
        | None
    ) = None
    tool_choice: Choice | NamedTool | AllowedTools | None = Field(
        default=None, description="none, auto, required, a function by its name, or `allowed_tools`"
    )
    parallel_tool_calls: bool | None = Field(default=None, description="false: at most one call")

    @field_validator("tool_choice")
    @classmethod
    def _is_one_of_them(cls, choice: Any, info: ValidationInfo) -> Any:
        if "tools" not in info.data or choice in (None, "none", "auto"):
            return choice
        names = {tool.name for tool in info.data["tools"] or ()}
        if not names:
            raise PydanticCustomError("no_tools", "It is only allowed together with 'tools'.")
        for name in _names_in(choice):
            if name not in names:
                raise PydanticCustomError("unknown_tool", "None of the functions has the name {name}.", {"name": name})
        return choice

    def asked_tools(self) -> tuple[Tool, ...]:
        """None where none may be called: the model is not told of them, and a text that looks like a call is text."""
        return () if self.tool_choice == "none" else tuple(body.as_tool() for body in self.tools or ())

    def asked_choice(self) -> ToolChoice:
        choice = self.tool_choice
        if isinstance(choice, AllowedTools):
            return ToolChoice(mode=choice.mode, allowed=tuple(_names_in(choice)))
        if isinstance(choice, NamedTool):
            return ToolChoice(mode="required", name=choice.name)
        return ToolChoice(mode=choice or "auto")

    def described_tools(self) -> dict[str, Any]:
        """As a response repeats them."""
        choice: Any = self.tool_choice or "auto"
        return {
            "tools": [
                {
                    "type": "function",
                    "name": body.name,
                    "description": body.description,
                    "parameters": body.parameters,
                    "strict": body.strict,
                }
                for body in self.tools or ()
            ],
            "tool_choice": choice if isinstance(choice, str) else choice.model_dump(),
            "parallel_tool_calls": self.parallel_tool_calls is not False,
        }
