"""What samplers need of the engine that they belong to."""

import math
from typing import Protocol

from shared.errors import InferenceError
from shared.events import TokenLogprob
from worker.engine.base import Sampled
from worker.engine.llama_calls import Calls
from worker.engine.llama_candidates import Row
from worker.engine.llama_dry import DrySamplers


class Outputs(Protocol):
    """The rows of the last decode, and what is known of the model's tokens."""

    context: int
    context_length: int
    vocabulary_size: int
    end_tokens: frozenset[int]
    open_samplers: int
    calls: Calls
    dry: DrySamplers

    def logits(self, row: int) -> Row: ...

    def batch_index(self, row: int) -> int: ...

    def logprobs(self, row: int, token: int, top: int) -> list[TokenLogprob]: ...


def checked(logits: Row) -> Row:
    """`logits` as they are. Raises InferenceError if the model computed no numbers: one NaN spreads over the row."""
    if math.isnan(logits[0]):
        raise InferenceError("The model computed no valid probabilities.")
    return logits


def sampled(outputs: Outputs, row: int, token: int, top: int | None) -> Sampled:
    """`token` with the logprobs that are wanted, none for None."""
    return Sampled(token) if top is None else Sampled(token, outputs.logprobs(row, token, top))
