"""Text to vectors: OpenAI's embeddings bodies, which the gateway passes on to the embedding service."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

TokenIds = Annotated[list[int], Field(min_length=1)]


class EmbeddingsBody(BaseModel):
    """POST /v1/embeddings. `input` is a text, texts, token ids, or lists of token ids; at most 2,048 of them.

    Vectors come as floats unless asked otherwise.
    """

    model_config = ConfigDict(json_schema_extra={"example": {"model": "all-minilm-l6-v2", "input": ["a cat", "a dog"]}})

    model: str
    input: (
        str
        | TokenIds
        | Annotated[list[str], Field(min_length=1, max_length=2048)]
        | Annotated[list[TokenIds], Field(min_length=1, max_length=2048)]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(default=None, ge=1)
    user: str | None = Field(default=None, description="ignored: limits are the key's")


class EmbeddingBody(BaseModel):
    """One vector: floats, or their little-endian float32 bytes in base64."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(BaseModel):
    """Tokens of all inputs together."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponseBody(BaseModel):
    """The vectors in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[EmbeddingBody]
    model: str
    usage: EmbeddingsUsage
