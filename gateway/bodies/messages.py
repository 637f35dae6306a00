"""The messages of a chat request: OpenAI's roles and its several forms of content, checked one against the other."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from shared.bodies.messages import FunctionCall, Message, TextPart, ToolCall
from shared.errors import BadRequestError

MAX_MESSAGES = 2048
"""OpenAI's. Rendering and counting cost time by the message: a body full of empty ones would keep others waiting."""

MAX_CALLS = 128
MAX_NAME_CHARACTERS = 256
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]
CallId = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]


class TextPartBody(BaseModel):
    """A part of multi-part content."""

    model_config = ConfigDict(strict=True)

    type: Literal["text"]
    text: str


class RefusalPartBody(BaseModel):
    """What an assistant said instead of an answer; to the model it is text like any other."""

    model_config = ConfigDict(strict=True)

    type: Literal["refusal"]
    refusal: str


def only_text_parts(content: Any) -> Any:
    """The content as it is. Raises PydanticCustomError for parts of other kinds, which it names."""
    for index, part in enumerate(content if isinstance(content, list) else ()):
        _check_part(part, index)
    return content


def _check_part(part: Any, index: int) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("text", "refusal") and isinstance(part.get(kind), str):
        return
    if kind in ("image_url", "input_audio", "file"):
        raise PydanticCustomError("part_unsupported", "Part {index} is of the type {kind}; only text parts are "
                                  "supported.", {"index": index, "kind": kind})  # fmt: skip
    raise PydanticCustomError("part_invalid", "Part {index} must be an object like "
                              '{example}.', {"index": index, "example": '{"type": "text", "text": "…"}'})  # fmt: skip


Parts = list[TextPartBody | RefusalPartBody]


class CalledFunctionBody(BaseModel):
    """What was called; `arguments` is JSON as the model wrote it, and need not be valid."""

    model_config = ConfigDict(strict=True)

    name: Name
    arguments: str


class ToolCallBody(BaseModel):
    """One call of an assistant message."""

    model_config = ConfigDict(strict=True)

    id: CallId
    type: Literal["function"] = "function"
    function: CalledFunctionBody

    def as_call(self) -> ToolCall:
        return ToolCall(id=self.id, function=FunctionCall(name=self.function.name, arguments=self.function.arguments))


class MessageBody(BaseModel):
    """One message. Fields that are not named here are ignored, as OpenAI-compatible servers do.

    The role `function` and the field `function_call` are OpenAI's names before there were tools.
    """

    model_config = ConfigDict(strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    name: Annotated[Name | None, Field(validate_default=True)] = None
    tool_calls: Annotated[list[ToolCallBody], Field(min_length=1, max_length=MAX_CALLS)] | None = None
    tool_call_id: Annotated[CallId | None, Field(validate_default=True)] = None
    function_call: CalledFunctionBody | None = None
    refusal: str | None = None
    content: Annotated[str | Parts | None, BeforeValidator(only_text_parts), Field(validate_default=True)] = None

    @field_validator("name")
    @classmethod
    def _names_the_function(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is None and info.data.get("role") == "function":
            raise PydanticCustomError("missing", "A function message says whose result it is.")
        return name

    @field_validator("tool_calls", "function_call")
    @classmethod
    def _is_the_assistants(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("role", "assistant") != "assistant":
            raise PydanticCustomError("wrong_role", "Only an assistant message has calls.")
        return value

    @field_validator("tool_call_id")
    @classmethod
    def _says_which_call(cls, call_id: str | None, info: ValidationInfo) -> str | None:
        if call_id is None and info.data.get("role") == "tool":
            raise PydanticCustomError("missing", "A tool message says which call it answers.")
        return call_id

    @field_validator("content")
    @classmethod
    def _says_something(cls, content: Any, info: ValidationInfo) -> Any:
        said = ("tool_calls", "function_call", "refusal")
        if content is None and "role" in info.data and all(info.data.get(name) is None for name in said):
            raise PydanticCustomError("missing", "Only beside calls or a refusal may it be null.")
        return content

    @property
    def parts(self) -> tuple[TextPart, ...] | None:
        if not isinstance(self.content, list):
            return None
        return tuple(
            TextPart(text=part.text if isinstance(part, TextPartBody) else part.refusal) for part in self.content
        )

    @property
    def text(self) -> str:
        """The whole content, "" for null."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.parts or ()) if self.content is not None else self.refusal or ""


MessageBodies = Annotated[
    list[MessageBody],
    Field(min_length=1, max_length=MAX_MESSAGES, description="text, or parts of the types text and refusal"),
]


def as_messages(bodies: Sequence[MessageBody], *, has_history: bool = False) -> tuple[Message, ...]:
    """The messages, each result with the call that it answers; `has_history`: that may be one of an earlier turn.

    Raises BadRequestError that names the message.
    """
    called: dict[str, str] = {}
    """The name of each call's function by the call's id, in the order of the calls."""
    messages = []
    for index, body in enumerate(bodies):
        calls = _calls(body, index)
        called |= {call.id: call.function.name for call in calls}
        call_id = body.tool_call_id if body.role == "tool" else None
        if body.role == "function":
            call_id = next((id_ for id_, name in reversed(called.items()) if name == body.name), None)
        _check_result(body, call_id, called, index, has_history=has_history)
        messages.append(
            Message(
                role="tool" if body.role == "function" else body.role,
                content=body.text,
                name=body.name,
                parts=body.parts,
                tool_calls=calls or None,
                tool_call_id=call_id,
            )
        )
    return tuple(messages)


def _calls(body: MessageBody, index: int) -> tuple[ToolCall, ...]:
    """The message's calls; one of OpenAI's older kind gets an id."""
    if body.tool_calls:
        return tuple(call.as_call() for call in body.tool_calls)
    if body.function_call is None:
        return ()
    function = FunctionCall(name=body.function_call.name, arguments=body.function_call.arguments)
    return (ToolCall(id=f"call_function_{index}", function=function),)


def _check_result(
    body: MessageBody, call_id: str | None, called: dict[str, str], index: int, *, has_history: bool
) -> None:
    if body.role == "tool" and call_id not in called and not has_history:
        raise BadRequestError(
            f"Invalid value for 'messages.{index}.tool_call_id': no assistant message before it has a call with this "
            "id in its tool_calls.",
            param=f"messages.{index}.tool_call_id",
        )
    if body.role == "function" and call_id is None:
        advice = " In a session send the role 'tool' with the call's id." if has_history else ""
        raise BadRequestError(
            f"Invalid value for 'messages.{index}.name': no assistant message before it has called this "
            f"function.{advice}",
            param=f"messages.{index}.name",
        )
