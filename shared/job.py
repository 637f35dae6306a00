"""A job: one request accepted for generation, as it is written to the ledger and read by a worker."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.bodies.messages import Message
from shared.bodies.tools import Tool, ToolChoice

Priority = Literal["interactive", "batch"]
"""Batch jobs take what interactive ones leave, and give up their room for them."""


class SamplingParams(BaseModel):
    """How the next token is chosen. Names and meanings are OpenAI's where OpenAI has them, else llama.cpp's.

    A value that switches its sampler off: top_k 0, top_p 1, min_p 0, typical_p 1, repeat_penalty 1, penalties 0,
    dry_multiplier 0, mirostat 0. temperature 0 is greedy. `logit_bias` is by token id, -100 forbids and 100 forces.
    `min_tokens`: the answer does not end before it has so many.
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
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    mirostat: Literal[0, 1, 2] = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: dict[int, float] = {}
    seed: int | None = None
    min_tokens: int = 0
    ignore_eos: bool = False


class Constraint(BaseModel):
    """What the text of an answer must match.

    `source` is a JSON schema as JSON, a GBNF grammar whose root rule is `root`, or "" for any JSON object.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    kind: Literal["json_object", "json_schema", "gbnf"]
    source: str = ""


class AnswerForm(BaseModel):
    """How a job's answer is told to its caller: whichever gateway takes its stream up tells it in the same form.

    Calls of `tool_names` are looked for in the answer's text. `is_legacy`: one is told as chat's `function_call`.
    """

    model_config = ConfigDict(frozen=True)

    api: Literal["chat", "completions", "responses", "messages", "native"] = "chat"
    choices: int = 1
    tool_names: tuple[str, ...] = ()
    is_legacy: bool = False


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
    messages: tuple[Message, ...] = ()
    prompt: str | tuple[int, ...] | None = Field(
        default=None, description="raw text or token ids instead of messages; no chat template is applied"
    )
    sampling: SamplingParams = SamplingParams()
    max_tokens: int | None = Field(default=None, description="of each choice; None: until the context is full")
    stop: tuple[str, ...] = ()
    n: int = Field(default=1, ge=1, le=128, description="choices, which share one prompt; 1 in a session")
    echo: bool = Field(default=False, description="the prompt's tokens come first, as tokens of the answer")
    top_logprobs: int | None = Field(default=None, ge=0, le=20, description="None: no logprobs at all")
    constraint: Constraint | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    parallel_tool_calls: bool = True
    priority: Priority = "interactive"
    session_id: str | None = None
    prompt_tokens_bound: int = Field(default=0, description="an upper bound of the prompt's tokens, for reservations")
    timeout_s: float = 600.0
    on_disconnect: Literal["cancel", "detach"] = "cancel"
    resume_grace_s: float | None = Field(
        default=30.0, description="a job that no gateway attends to is cancelled after this; None: never"
    )
    form: AnswerForm = AnswerForm()
    traceparent: str | None = None
