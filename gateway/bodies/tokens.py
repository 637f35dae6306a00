"""POST /tokenize, POST /detokenize: llama.cpp's bodies, with the model's name in them."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from gateway.bodies.messages import MessageBodies
from gateway.bodies.sampling import MAX_TOKEN_ID
from gateway.bodies.tools import Tools


class TokenizeRequestBody(BaseModel):
    """A text, or the messages of a chat, which count with the model's template around them."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"example": {"model": "drover-tiny", "content": "Hello", "with_pieces": True}}
    )

    model: str = Field(min_length=1, max_length=256)
    content: str | None = None
    messages: MessageBodies | None = None
    tools: Tools | None = Field(default=None, description="beside messages: what the model is told of functions counts")
    add_special: bool = Field(default=False, description="with the tokens that the model wants around a text")
    parse_special: bool = Field(default=True, description="take special tokens that are written in the text as such")
    with_pieces: bool = Field(default=False, description="tell what each token says")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.content is None) == (self.messages is None):
            raise PydanticCustomError("one_of", "Give either 'content' or 'messages'.")
        if self.tools and self.messages is None:
            raise PydanticCustomError("needs_messages", "Tools are only counted beside 'messages'.")
        return self


class PieceBody(BaseModel):
    """One token. `piece` is its text; its bytes where they are no whole characters."""

    id: int
    piece: str | list[int]

    @classmethod
    def of(cls, token: int, piece: bytes) -> Self:
        try:
            return cls(id=token, piece=piece.decode())
        except UnicodeDecodeError:
            return cls(id=token, piece=list(piece))


class TokenizeAnswerBody(BaseModel):
    """`count` is the number of tokens, `max_context` how many the model takes, answer included."""

    tokens: list[int] | list[PieceBody]
    count: int
    max_context: int


class DetokenizeRequestBody(BaseModel):
    """Token ids of one model."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"example": {"model": "drover-tiny", "tokens": [72, 101, 108]}}
    )

    model: str = Field(min_length=1, max_length=256)
    tokens: list[Annotated[int, Field(ge=0, le=MAX_TOKEN_ID)]]


class DetokenizeAnswerBody(BaseModel):
    """What the tokens say; bytes that are no whole characters become U+FFFD."""

    content: str
