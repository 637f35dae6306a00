"""What an engine is: the Protocol that llama.cpp's engine and the simulated one meet."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from shared.catalogue import ModelEntry
from shared.job import SamplingParams


class DecodeError(Exception):
    """The engine failed on a whole batch; the KV of its slots is in an unknown state and must be cleared."""


class KvFullError(DecodeError):
    """The KV cache has no room for this batch; nothing of it was decoded, a smaller one may fit."""


class Piece(NamedTuple):
    """Consecutive tokens of one slot inside a batch; `position` is the first one's place in its sequence."""

    slot: int
    tokens: Sequence[int]
    position: int
    wants_logits: bool
    """Whether the next token is to be sampled after the last of `tokens`."""


class Sampler(Protocol):
    """Chooses the tokens of one sequence and remembers what it chose."""

    def sample(self, row: int, seq: int) -> int:
        """The token number `seq` (from 1) of the sequence, from output row `row` of the last decode.

        Rows count the pieces that wanted logits, from 0, in the order of the batch. Raises InferenceError.
        """

    def close(self) -> None:
        """Free what the sampler holds; twice is harmless."""


class Engine(Protocol):
    """One loaded model with `slots` sequences of up to `context_length` tokens each.

    `decode`, `clear` and the samplers are used by one thread at a time; `tokenize` by any.
    """

    @property
    def slots(self) -> int: ...

    @property
    def context_length(self) -> int:
        """Tokens that one sequence can hold, prompt and answer together."""

    @property
    def batch_tokens(self) -> int:
        """Tokens that one decode takes at most."""

    @property
    def template(self) -> str:
        """Jinja source or a name that shared.templates knows."""

    @property
    def bos(self) -> str: ...

    @property
    def eos(self) -> str: ...

    @property
    def token_bytes(self) -> list[bytes]:
        """What each token id adds to the text; b"" for control tokens."""

    @property
    def end_tokens(self) -> frozenset[int]:
        """Tokens that end an answer."""

    def tokenize(self, text: str) -> list[int]:
        """`text` with special tokens recognised and the model's own ones (BOS) added. Raises InferenceError."""

    def new_sampler(self, params: SamplingParams, prompt: Sequence[int], generated: Sequence[int]) -> Sampler:
        """A sampler that knows the prompt and what an earlier life has generated. Raises InferenceError."""

    def decode(self, pieces: Sequence[Piece]) -> None:
        """Run one batch, at most one piece per slot. Raises KvFullError or another DecodeError."""

    def clear(self, slot: int) -> None:
        """Forget everything that the slot holds."""

    def close(self) -> None:
        """Free the model; twice is harmless."""


class EngineFactory(Protocol):
    """Opens models with one kind of engine."""

    @property
    def name(self) -> str:
        """What workers say about themselves: "llama" or "simulated"."""

    def needed_bytes(self, entry: ModelEntry, path: Path) -> int:
        """Memory that the model will take, weights and KV. Raises ModelLoadError."""

    def open(self, entry: ModelEntry, path: Path) -> Engine:
        """Load the model; takes as long as it takes. Raises ModelLoadError."""
