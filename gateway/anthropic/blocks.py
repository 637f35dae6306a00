"""The content blocks of Anthropic's messages, and the plain messages that they make."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from shared.bodies.messages import FunctionCall, Message, TextPart, ToolCall

MAX_BLOCKS = 2048
UNREADABLE = ("image", "document", "search_result", "server_tool_use", "web_search_tool_result", "container_upload")
Identifier = Annotated[str, Field(min_length=1, max_length=256)]


def _only_readable(content: Any) -> Any:
    """The content as it is. Raises PydanticCustomError for blocks that are no text to a model of ours."""
    for index, block in enumerate(content if isinstance(content, list) else ()):
        kind = block.get("type") if isinstance(block, dict) else None
        if kind in UNREADABLE:
            raise PydanticCustomError("block_unsupported", "Block {index} is of the type {kind}; only text, tool_use "
                                      "and tool_result are supported.", {"index": index, "kind": kind})  # fmt: skip
    return content


class TextBlock(BaseModel):
    """Text; `cache_control` and citations change nothing here and are ignored."""

    model_config = ConfigDict(strict=True)

    type: Literal["text"]
    text: str


class ToolUseBlock(BaseModel):
    """A call that an assistant made."""

    model_config = ConfigDict(strict=True)

    type: Literal["tool_use"]
    id: Identifier
    name: Identifier
    input: dict[str, Any]


class ToolResultBlock(BaseModel):
    """What came of a call."""

    model_config = ConfigDict(strict=True)

    type: Literal["tool_result"]
    tool_use_id: Identifier
    content: Annotated[str | list[TextBlock] | None, BeforeValidator(_only_readable)] = None
    is_error: bool | None = None


class ThinkingBlock(BaseModel):
    """What a model thought before; it is not said again."""

    type: Literal["thinking", "redacted_thinking"]


Block = Annotated[TextBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock, Field(discriminator="type")]
System = Annotated[str | list[TextBlock], BeforeValidator(_only_readable)]


class AnthropicMessage(BaseModel):
    """One message: text, or blocks."""

    model_config = ConfigDict(strict=True)

    role: Literal["user", "assistant"]
    content: Annotated[str | Annotated[list[Block], Field(max_length=MAX_BLOCKS)], BeforeValidator(_only_readable)]

    def as_messages(self) -> list[Message]:
        """Results of tools go before what the user says beside them: they answer the message before."""
        if isinstance(self.content, str):
            return [Message(role=self.role, content=self.content)]
        results = [_result(block) for block in self.content if isinstance(block, ToolResultBlock)]
        texts = [block.text for block in self.content if isinstance(block, TextBlock)]
        calls = tuple(_call(block) for block in self.content if isinstance(block, ToolUseBlock))
        if not texts and not calls and results:
            return results
        parts = tuple(TextPart(text=text) for text in texts) if len(texts) > 1 else None
        said = Message(role=self.role, content="".join(texts), parts=parts, tool_calls=calls or None)
        return [*results, said]


def text_of(content: str | list[TextBlock] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(block.text for block in content)


def _result(block: ToolResultBlock) -> Message:
    return Message(role="tool", content=text_of(block.content), tool_call_id=block.tool_use_id)


def _call(block: ToolUseBlock) -> ToolCall:
    arguments = orjson.dumps(block.input).decode()
    return ToolCall(id=block.id, function=FunctionCall(name=block.name, arguments=arguments))
