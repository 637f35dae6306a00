"""One message of a conversation, as every service passes it on."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["system", "developer", "user", "assistant", "tool"]


class Message(BaseModel):
    """A role and its text. Multi-part text has been joined before it gets here."""

    model_config = ConfigDict(frozen=True)

    role: Role
    content: str
    name: str | None = None
