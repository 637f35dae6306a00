"""What an engine is: the Protocol that llama.cpp's engine and the simulated one meet."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from shared.catalogue import ModelEntry
from shared.errors import DroverError
from shared.events import TokenLogprob
from shared.job import GenerateJob
from shared.templates import ControlTexts


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
    """Whether the next token is to be sampled after the last of `tokens`: one output row."""

    wants_all: bool = False
    """Whether every one of `tokens` is to have its output row, for the logprobs of a prompt; `wants_logits` counts
    for nothing then."""

    @property
    def rows(self) -> int:
        """How many output rows the piece has."""
        return len(self.tokens) if self.wants_all else int(self.wants_logits)


class Sampled(NamedTuple):
    """A chosen token; `logprobs`: its own, then those of the likeliest tokens, None where the job wants none."""

    token: int
    logprobs: list[TokenLogprob] | None = None


class Draw(NamedTuple):
    """One token to be chosen: the token number `seq` (from 1) of the sampler's sequence, from output row `row`.

    Rows count the outputs of the last decode from 0, in the order of its pieces and of their tokens.
    """

    sampler: "Sampler"
    row: int
    seq: int


class Sampler(Protocol):
    """Chooses the tokens of one sequence and remembers what it chose."""

    def sample(self, row: int, seq: int) -> Sampled:
        """One draw, see Draw. Raises InferenceError."""

    def close(self) -> None:
        """Free what the sampler holds; twice is harmless."""


class Engine(Protocol):
    """One loaded model with `slots` sequences of up to `context_length` tokens each.

    All but `tokenize` and `prepare` is used by one thread at a time; those two by any.
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
    def output_rows(self) -> int:
        """Output rows that one decode gives at most: one for each slot and some for the logprobs of prompts."""

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

    @property
    def control_texts(self) -> ControlTexts:
        """What `tokenize` takes for control tokens."""

    def tokenize(self, *parts: str) -> list[int]:
        """A text in parts, each by itself, with special tokens recognised and the model's own ones (BOS) added once.

        Raises InferenceError.
        """

    def prepare(self, job: GenerateJob) -> None:
        """Check what the job asks of its sampler, and do what takes long about it: grammars are compiled here, not in
        the decode thread. Raises BadRequestError that names the parameter, InferenceError."""

    def new_sampler(self, job: GenerateJob, prompt: Sequence[int], generated: Sequence[int], choice: int) -> Sampler:
        """A sampler that knows the prompt and what an earlier life has generated of this choice.

        Choice 0 draws with the job's seed, the others each with one that depends on it. Raises what `prepare` does.
        """

    def sample(self, draws: Sequence[Draw]) -> list[Sampled | DroverError]:
        """All draws of one step, in parallel threads where that pays; one's failure leaves the others alone."""

    def logprobs(self, row: int, token: int, top: int) -> list[TokenLogprob]:
        """Of `token` and then of the `top` likeliest tokens in output row `row`, over the raw logits."""

    def decode(self, pieces: Sequence[Piece]) -> None:
        """Run one batch, at most one piece per slot. Raises KvFullError or another DecodeError."""

    def clear(self, slot: int) -> None:
        """Forget everything that the slot holds."""

    def rest(self, slot: int) -> None:
        """Say that the slot keeps what it holds and will not be decoded for now. Its next piece or cut wakes it.

        What rests may be lost when the engine needs the room; `truncate` and `copy` say so.
        """

    def truncate(self, slot: int, length: int) -> bool:
        """Keep only the first `length` (> 0) tokens of the slot; False, and it is cleared, where that is not possible.

        It never is with models whose memory is one running state.
        """

    def copy(self, source: int, target: int, length: int) -> bool:
        """Let the empty slot `target` hold the first `length` (> 0) tokens of `source`; False, and it stays empty,
        where that is not possible."""

    def close(self) -> None:
        """Free the model; twice is harmless."""


class EngineFactory(Protocol):
    """Opens models with one kind of engine."""

    @property
    def name(self) -> str:
        """What workers say about themselves: "llama" or "simulated"."""

    def needed_bytes(self, entry: ModelEntry, path: Path) -> int:
        """Memory that the model will take, weights and KV. Raises ModelLoadError."""

    def open(self, entry: ModelEntry, path: Path, on_progress: Callable[[float], None] | None = None) -> Engine:
        """Load the model; takes as long as it takes, `on_progress` hears the fraction that is done (0 … 1).

        Raises ModelLoadError.
        """
