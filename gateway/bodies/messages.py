"""The messages of a chat request: from OpenAI's several forms of content to plain text."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from shared.bodies.messages import Message, Role


def joined_text(content: Any) -> Any:
    """The text of multi-part content; anything but a list of text parts is left to the field's type to judge."""
    if not isinstance(content, list):
        return content
    return "".join(_text_of(part, index) for index, part in enumerate(content))


def _text_of(part: Any, index: int) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text" and isinstance(part.get("text"), str):
        text: str = part["text"]
        return text
    if kind in ("image_url", "input_audio", "file"):
        raise PydanticCustomError("part_unsupported", "Part {index} is of the type {kind}; only text parts are "
                                  "supported.", {"index": index, "kind": kind})  # fmt: skip
    raise PydanticCustomError("part_invalid", "Part {index} must be an object like "
                              '{example}.', {"index": index, "example": '{"type": "text", "text": "…"}'})  # fmt: skip


class MessageBody(BaseModel):
    """One message. Fields that are not named here are ignored, as OpenAI-compatible servers do."""

    model_config = ConfigDict(strict=True)

    role: Role
    content: Annotated[str, BeforeValidator(joined_text)]
    name: str | None = None

    def as_message(self) -> Message:
        return Message(role=self.role, content=self.content, name=self.name)
