"""The gateway's settings, read once at start from GATEWAY_… and the names all services share."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import Settings


class GatewaySettings(Settings):
    """Every limit and time-out of the gateway."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="0: any free one")
    session_service_url: str = Field(default="http://127.0.0.1:8081", description="where to find it")
    embedding_service_url: str = Field(default="http://127.0.0.1:8082", description="where to find it")
    cors_origins: str = Field(default="", description="origins that browsers may call from, with commas; empty: none")

    max_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, description="a longer body is a 413")
    max_queued_jobs: int = Field(default=1000, ge=1, description="more are refused with 503 queue_full")
    max_choices: int = Field(default=16, ge=1, le=128, description="a larger `n` is a 400")
    allow_grammar: bool = Field(default=False, description="whether requests may bring llama.cpp grammars of their own")
    default_timeout_s: float = Field(default=600.0, gt=0, description="a job's deadline when the request names none")
    resume_grace_s: float = Field(
        default=30.0, ge=5, description="a job that nobody reads any more is cancelled after this"
    )

    key_cache_ttl_s: float = Field(default=60.0, ge=0, le=60, description="a revoked key works at most this long")
    refused_key_cache_ttl_s: float = Field(default=5.0, ge=0, le=60, description="the same for a key that was refused")

    head_timeout_s: float = Field(default=15.0, gt=0, description="a request's line and headers must be there by then")
    body_timeout_s: float = Field(default=60.0, gt=0, description="and then its body; a later one is a 408")
    ping_interval_s: float = Field(default=10.0, gt=0, description="an SSE comment after this long without a chunk")
    send_stall_s: float = Field(default=30.0, gt=0, description="a client that reads nothing for this long is cut off")
    silence_s: float = Field(default=1.0, gt=0, description="a stream without events for this long looks into the log")
    stored_wait_s: float = Field(default=2.0, ge=0, description="how long the last chunk waits for the stored message")
    stream_buffer_events: int = Field(default=256, ge=8, description="more are dropped and read from the log later")
    stream_buffer_bytes: int = Field(default=65_536, ge=1024, description="the same, by their size")

    redis_timeout_s: float = Field(default=0.7, gt=0, description="one call to the ledger, its retry included")
    key_check_timeout_s: float = Field(default=2.0, gt=0, description="how long a key that is not cached is checked")
    session_timeout_s: float = Field(default=5.0, gt=0, description="any other call to the session service")
    shutdown_grace_s: int = Field(default=20, ge=0, description="open streams may end within this after SIGTERM")
