"""Items as callers give them, in `input` and to conversations, and the messages that they are."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from shared.bodies.messages import FunctionCall, Message, TextPart, ToolCall

TEXT_PARTS = ("input_text", "output_text", "text")
KINDS = ("message", "function_call", "function_call_output", "reasoning", "item_reference")
MAX_CALL_ID = 256


def _as_text_part(part: Any) -> Any:
    """A refusal is the text that it says; a part of any other kind is refused by its name."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "refusal":
        return {"type": "output_text", "text": part.get("refusal")}
    if isinstance(kind, str) and kind not in TEXT_PARTS:
        raise PydanticCustomError("part_unsupported", "Parts of the type {kind} are not supported; only text is.",
                                  {"kind": kind[:64]})  # fmt: skip
    return part


class TextPartBody(BaseModel):
    """One part of a content, or of a function's output."""

    model_config = ConfigDict(strict=True)

    type: Literal["input_text", "output_text", "text"]
    text: str


Parts = Annotated[list[Annotated[TextPartBody, BeforeValidator(_as_text_part)]], Field(min_length=1)]


class MessageItem(BaseModel):
    """What somebody said. `type` may be left out. An answer's own item fits as it is; its id and status are passed
    over."""

    model_config = ConfigDict(strict=True)

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: str | Parts


class FunctionCallItem(BaseModel):
    """A call that the model has asked for. Calls in a row, and a text right before them, are one assistant message."""

    model_config = ConfigDict(strict=True)

    type: Literal["function_call"]
    call_id: str = Field(min_length=1, max_length=MAX_CALL_ID)
    name: str = Field(min_length=1, max_length=MAX_CALL_ID)
    arguments: str


class FunctionCallOutputItem(BaseModel):
    """What a call brought."""

    model_config = ConfigDict(strict=True)

    type: Literal["function_call_output"]
    call_id: str = Field(min_length=1, max_length=MAX_CALL_ID)
    output: str | Parts


class ReasoningItem(BaseModel):
    """Another model's reasoning, which clients send back with its answer: passed over, no model here could read it."""

    type: Literal["reasoning"]


def _refused(item: Any) -> Any:
    kind = item.get("type")
    if kind in (None, "item_reference"):
        raise PydanticCustomError("reference", "References to items are not supported; send the item itself, or go on "
                                  "with previous_response_id.")  # fmt: skip
    raise PydanticCustomError("item_unsupported", "Items of the type {kind} are not supported.",
                              {"kind": str(kind)[:64]})  # fmt: skip


def _kind_of(item: Any) -> str:
    if isinstance(item, BaseModel):
        return str(getattr(item, "type", "message"))
    if not isinstance(item, dict):
        return "message"
    kind = item.get("type")
    if kind is None:
        return "refused" if "id" in item and "role" not in item else "message"
    return kind if kind in KINDS and kind != "item_reference" else "refused"


GivenItem = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[FunctionCallItem, Tag("function_call")]
    | Annotated[FunctionCallOutputItem, Tag("function_call_output")]
    | Annotated[ReasoningItem, Tag("reasoning")]
    | Annotated[dict[str, Any], BeforeValidator(_refused), Tag("refused")],
    Discriminator(_kind_of),
]
"""One item, by its type; a dict is never made, for what would be one is refused."""


def messages_of(items: Sequence[Any]) -> tuple[Message, ...]:
    """The messages that the items are, in their order."""
    said: list[Message] = []
    for item in items:
        if isinstance(item, MessageItem):
            text, parts = _content(item.content)
            said.append(Message(role=item.role, content=text, parts=parts))
        elif isinstance(item, FunctionCallItem):
            _add_call(said, item)
        elif isinstance(item, FunctionCallOutputItem):
            text, parts = _content(item.output)
            said.append(Message(role="tool", content=text, parts=parts, tool_call_id=item.call_id))
    return tuple(said)


def _add_call(said: list[Message], item: FunctionCallItem) -> None:
    call = ToolCall(id=item.call_id, function=FunctionCall(name=item.name, arguments=item.arguments))
    if said and said[-1].role == "assistant":
        said[-1] = said[-1].model_copy(update={"tool_calls": (*(said[-1].tool_calls or ()), call)})
    else:
        said.append(Message(role="assistant", content="", tool_calls=(call,)))


def _content(given: str | list[TextPartBody]) -> tuple[str, tuple[TextPart, ...] | None]:
    if isinstance(given, str):
        return given, None
    return "".join(part.text for part in given), tuple(TextPart(text=part.text) for part in given)
