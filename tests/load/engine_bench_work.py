"""The work that both sides of the engine benchmark get: bursts of prompts made of token ids."""

import random
from dataclasses import asdict, dataclass
from typing import Any

from tests.load.engine_bench_models import VOCABULARY

_FIRST_TOKEN = 300  # after the control tokens and the bytes


@dataclass(frozen=True)
class Sampling:
    """How both sides draw; every other sampler is off."""

    name: str
    temperature: float
    top_p: float = 1.0


GREEDY = Sampling("greedy", 0.0)
DRAWN = Sampling("0.8 / 0.95", 0.8, 0.95)


@dataclass(frozen=True)
class Burst:
    """Requests that begin at once. Nothing ends one before it has `new_tokens`."""

    prompts: list[list[int]]
    new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Case:
    """One line of the table. `shared_tokens` begin every prompt of a burst and are new in every burst."""

    name: str
    streams: int
    own_tokens: int
    new_tokens: int
    shared_tokens: int = 0
    sampling: Sampling = GREEDY

    def burst(self, seed: int) -> Burst:
        """The same for the same seed: no two bursts of a run have a prefix in common."""
        drawn = random.Random(f"{self.name} {self.streams} {seed}")
        shared = _tokens(drawn, self.shared_tokens)
        prompts = [shared + _tokens(drawn, self.own_tokens) for _ in range(self.streams)]
        return Burst(prompts, self.new_tokens, self.sampling.temperature, self.sampling.top_p)


def _tokens(drawn: random.Random, count: int) -> list[int]:
    return [drawn.randrange(_FIRST_TOKEN, VOCABULARY) for _ in range(count)]


@dataclass(frozen=True)
class Result:
    """What a side says of one burst, in seconds; `seconds` from the first submission to the last token.

    The steps and their parts are ours alone, 0 for a peer.
    """

    seconds: float
    tokens: int
    steps: int = 0
    decode_s: float = 0.0
    sample_s: float = 0.0
    python_s: float = 0.0

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.seconds
