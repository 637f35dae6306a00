"""The workloads of the load harness: what a user asks for, and which weights mix them."""

import random
from dataclasses import dataclass
from typing import Any, Literal, get_args

Workload = Literal["chat", "session", "embeddings"]
WORKLOADS: tuple[Workload, ...] = get_args(Workload)

SESSION_TURNS = 8
"""After so many turns a user begins a new session, so that the prompts of a long run do not only grow."""

_PEOPLE = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo")
_PLACES = ("France", "Italy", "Spain", "Japan", "Egypt", "Norway", "Peru", "Kenya")
_OPENINGS = (
    "My name is {person}. Tell me a story.",
    "{person} asks: what is the capital of {place}?",
    "Describe {place} to {person} in a few sentences.",
    "What would {person} like about {place}?",
)


@dataclass(frozen=True)
class Mix:
    """Workloads by weight."""

    weights: dict[Workload, float]

    @classmethod
    def parse(cls, words: str) -> "Mix":
        """Of `chat=8,session=3,embeddings=1`. Raises ValueError with a sentence."""
        weights: dict[Workload, float] = {}
        for part in words.split(","):
            name, _, weight = part.partition("=")
            known = next((workload for workload in WORKLOADS if workload == name.strip()), None)
            if known is None:
                raise ValueError(f"'{name}' is no workload: there are {', '.join(WORKLOADS)}.")
            weights[known] = float(weight or 1)
        if min(weights.values()) < 0 or not any(weights.values()):
            raise ValueError("A mix needs weights that are not negative, and one above 0.")
        return cls(weights)

    def draw(self, chance: random.Random) -> Workload:
        """One workload, as often as its weight says."""
        return chance.choices([*self.weights], [*self.weights.values()])[0]


@dataclass(frozen=True)
class Asking:
    """What all requests of a run have in common."""

    model: str
    embedding_model: str
    max_tokens: int
    ignores_eos: bool

    def chat(self, chance: random.Random, session_id: str | None = None) -> dict[str, Any]:
        """The body of a streamed chat completion, alone or in a session of Drover's."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": sentence(chance)}],
            "max_tokens": self.max_tokens,
            "seed": chance.randrange(2**31),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if session_id is not None:
            body["session_id"] = session_id
        if self.ignores_eos:
            body["ignore_eos"] = True
        return body

    def embeddings(self, chance: random.Random) -> dict[str, Any]:
        """The body of a request for one to eight vectors."""
        return {"model": self.embedding_model, "input": [sentence(chance) for _ in range(chance.randint(1, 8))]}


def sentence(chance: random.Random) -> str:
    """Something to say; there are some hundred, so that prompts begin alike as real ones do."""
    return chance.choice(_OPENINGS).format(person=chance.choice(_PEOPLE), place=chance.choice(_PLACES))
