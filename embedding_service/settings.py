"""The settings of the embedding service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import Settings


class EmbeddingSettings(Settings):
    """Read from EMBEDDING_* and from the names that all services share."""

    model_config = SettingsConfigDict(env_prefix="EMBEDDING_")

    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(default=8082, ge=0, le=65535, description="0: any free one")
    threads: int = Field(
        default=0, ge=0, description="threads of one model; 0: half of the cores, or the container's limit"
    )
    gpu_layers: int = Field(default=-1, description="layers on the GPU, -1: all; without a GPU it changes nothing")
    batch_tokens: int = Field(default=512, ge=32, description="tokens in one pass; one whole input fits anyway")
    max_waiting_texts: int = Field(default=16_384, ge=2048, description="texts that may wait before 503 queue_full")
    max_body_bytes: int = Field(default=32 * 2**20, ge=1024, description="a longer body is a 413")
    graceful_shutdown_s: int = Field(default=10, ge=0, description="requests may end within this after SIGTERM")
