"""A job: one request accepted for generation, as it is written to the ledger and read by a worker."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.bodies.messages import Message


class SamplingParams(BaseModel):
    """How the next token is chosen. Names and meanings are OpenAI's where OpenAI has them, else llama.cpp's.

    A value that switches its sampler off: top_k 0, top_p 1, min_p 0, typical_p 1, repeat_penalty 1, penalties 0.
    temperature 0 is greedy.
    """

    model_config = ConfigDict(frozen=True)

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    typical_p: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    seed: int | None = None
    ignore_eos: bool = False


class GenerateJob(BaseModel):
    """What a worker needs to generate, and nothing about HTTP or sessions.

    `id` is also the turn's id when the job belongs to a session. `deadline_ms` is absolute, in Redis' clock
    (milliseconds since the epoch), and set by the accept script from `timeout_s`.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)  # errors are logged, prompts never

    id: str
    tenant_id: str
    key_id: str
    model: str
    model_digest: str = Field(description="sha256 of the model's file, or '' when the catalogue has none")
    messages: tuple[Message, ...]
    sampling: SamplingParams = SamplingParams()
    max_tokens: int | None = Field(default=None, description="None: until the context is full")
    stop: tuple[str, ...] = ()
    session_id: str | None = None
    prompt_tokens_bound: int = Field(default=0, description="an upper bound of the prompt's tokens, for reservations")
    timeout_s: float = 600.0
    on_disconnect: Literal["cancel", "detach"] = "cancel"
    resume_grace_s: float = 30.0
    traceparent: str | None = None
