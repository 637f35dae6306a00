"""Text as a model's tokens, and back: gateway to session service, which has the vocabularies."""

from pydantic import BaseModel

from shared.bodies.messages import Message
from shared.bodies.tools import Tool


class TokenizeBody(BaseModel):
    """POST /internal/tokens: tokens of `text`, or, where that is None, of the prompt that the messages make.

    `adds_special`: with the tokens that the model wants around a text, like its BOS. `parses_special`: special tokens
    that are written in the text are taken as such.
    """

    model: str
    text: str | None = None
    messages: list[Message] = []
    tools: tuple[Tool, ...] = ()
    adds_special: bool = False
    parses_special: bool = True
    with_pieces: bool = False


class TokensBody(BaseModel):
    """Token ids. `pieces` are the bytes of each, as Latin-1, where they were asked for."""

    tokens: list[int]
    pieces: list[str] | None = None


class DetokenizeBody(BaseModel):
    """POST /internal/tokens/text."""

    model: str
    tokens: list[int]


class TextBody(BaseModel):
    """What tokens say."""

    text: str


class InfillBody(BaseModel):
    """POST /internal/tokens/infill: the prompt after which the model writes what stands between prefix and suffix."""

    model: str
    prefix: str
    suffix: str
