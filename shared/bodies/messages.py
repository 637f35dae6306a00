"""One message of a conversation, as every service passes it on."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["system", "developer", "user", "assistant", "tool"]


class TextPart(BaseModel):
    """One part of multi-part content."""

    model_config = ConfigDict(frozen=True)

    type: Literal["text"] = "text"
    text: str


class FunctionCall(BaseModel):
    """What a tool is called with. `arguments` is JSON as the model wrote it, and need not be valid."""

    model_config = ConfigDict(frozen=True)

    name: str
    arguments: str


class ToolCall(BaseModel):
    """One call that an assistant message asks for, in OpenAI's shape."""

    model_config = ConfigDict(frozen=True)

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class Message(BaseModel):
    """A role and its text. `content` is the whole text, "" where OpenAI's content is null.

    `parts` is the content as it was given when that was a list of parts: for who stores the message, not for the model.
    `tool_calls` belong to an assistant message, `tool_call_id` to the tool message that answers one of them.
    """

    model_config = ConfigDict(frozen=True)

    role: Role
    content: str
    name: str | None = None
    parts: tuple[TextPart, ...] | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    tool_call_id: str | None = None

    @property
    def shown_content(self) -> str | list[TextPart] | None:
        """The content as OpenAI shows it: parts as they were given, null beside tool calls."""
        if self.parts is not None:
            return list(self.parts)
        return None if self.tool_calls and not self.content else self.content
