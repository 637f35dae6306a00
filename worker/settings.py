"""The worker's settings, read from the environment once at start."""

import os
import socket
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.settings import Settings

Names = Annotated[tuple[str, ...], NoDecode]
"""In the environment: names with commas between them."""


class WorkerSettings(Settings):
    """Everything that can be set about one worker."""

    model_config = SettingsConfigDict(env_prefix="WORKER_")

    id: str = Field(default="", description="empty: host name and process id; must differ between workers")
    engine: Literal["llama", "simulated"] = Field(
        default="llama", description="llama or simulated (no model file needed)"
    )
    slots: int = Field(default=16, ge=1, le=256, description="sequences in one batch, and jobs taken at once")
    batch_tokens: int = Field(default=512, ge=16, description="tokens in one decode step at most")
    threads: int = Field(default=0, ge=0, description="CPU threads of a model, fewer for a small one; 0: detect")
    gpu_layers: int = Field(default=-1, ge=-1, description="layers on the GPU; -1: all that fit, 0: none")
    model_budget_bytes: int = Field(default=0, ge=0, description="memory for models, weights and KV; 0: detect")
    room_wait_s: float = Field(default=10.0, ge=0, description="how long a load waits for models in use to end")
    preload: Names = Field(default=(), description="models to load before the worker is ready")
    pinned: Names = Field(default=(), description="models that are never evicted")
    stall_s: float = Field(default=5.0, gt=0, description="a decode step longer than this gives the jobs away")
    prefill_stall_s: float = Field(default=60.0, gt=0, description="the same for a step that reads prompts")

    lease_s: float = Field(default=1.5, ge=0.2, le=30, description="a dead worker's jobs go on elsewhere after this")
    drain_grace_s: float = Field(default=5.0, ge=0, description="on SIGTERM, running jobs may end for this long")
    start_timeout_s: float = Field(default=10.0, ge=0, description="how long a start waits for Redis")

    metrics_host: str = Field(default="127.0.0.1", description="the address to listen on")
    metrics_port: int = Field(default=9100, ge=0, le=65535, description="/livez, /readyz and /metrics; 0: off")

    simulated_step_ms: float = Field(default=5.0, ge=0, description="simulated engine: time of one decode step")
    simulated_prompt_token_ms: float = Field(default=0.02, ge=0, description="simulated engine: per prompt token")
    simulated_load_ms: float = Field(default=50.0, ge=0, description="simulated engine: time to load a model")
    simulated_answer_tokens: int = Field(default=256, ge=1, description="simulated engine: length of an answer")
    simulated_poison: str = Field(default="", description="simulated engine: a request with this text kills the worker")
    simulated_hang_after_steps: int = Field(
        default=0, ge=0, description="simulated engine: decoding hangs after so many steps; 0: never"
    )

    @field_validator("preload", "pinned", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @property
    def worker_id(self) -> str:
        return self.id or f"{socket.gethostname()}-{os.getpid()}"

    @property
    def lease_ms(self) -> int:
        return round(self.lease_s * 1000)
