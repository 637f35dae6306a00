"""A tool that a model may call, and which of them it should."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Tool(BaseModel):
    """A function in OpenAI's terms. `parameters` is the JSON schema of its arguments, an object's."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    strict: bool = False

    def function(self) -> dict[str, Any]:
        """As chat templates want it, which is as OpenAI's requests have it."""
        described = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": described}


class ToolChoice(BaseModel):
    """none: no call. auto: the model decides. required: at least one call, of `name` if it is given.

    `allowed`: of these alone, though the model is told of all; empty: of any.
    """

    model_config = ConfigDict(frozen=True)

    mode: Literal["none", "auto", "required"] = "auto"
    name: str | None = None
    allowed: tuple[str, ...] = ()
