"""The simulated engine: needs no model file, takes real time, and says the same to the same prompt every time.

It stands in for llama.cpp where the model does not matter: load tests, fault tests, trying the platform out. The answer
depends on the prompt and the seed alone, so a job that is continued elsewhere says exactly what it would have said.
"""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from shared.catalogue import ModelEntry
from shared.errors import BadRequestError, DroverError, InferenceError
from shared.events import TokenLogprob
from shared.job import GenerateJob
from shared.templates import ControlTexts, template_format
from worker.engine.base import DecodeError, Draw, Engine, Piece, Sampled
from worker.engine.draws import draw_in_turn
from worker.grammar.example import answer_example

_TEXT = (
    "the a one small brown fox river stone walks over under near quiet green hill and then sees seven lanterns café "
    "naïve snow ☃ light turns slowly home with every bird , . ; again until morning comes while rain falls on our roof"
)
WORDS = _TEXT.split()
BYTES_PER_TOKEN = 4
"""Of a real vocabulary, about; ours spells unknown words in bytes. The platform counts with the real one, so a prompt
that it lets through must find room here too."""

LOAD_PARTS = 10
END_TOKEN = 256
FIRST_WORD = 257


@dataclass(frozen=True, slots=True)
class SimulatedOptions:
    """How large and how slow the simulated models are."""

    slots: int = 16
    batch_tokens: int = 512
    step_ms: float = 5.0
    """What every decode takes."""
    prompt_token_ms: float = 0.02
    """What every prompt token adds."""
    load_ms: float = 50.0
    answer_tokens: int = 256
    """Length of an answer, unless max_tokens, a stop string or the context ends it before."""
    model_bytes: int = 64 * 1024 * 1024
    poison: str = ""
    """A request with this text kills the process as soon as it is decoded, as a fault in a driver would."""
    hang_after_steps: int = 0
    """Decoding hangs for ever after so many steps; 0: it never does."""


class SimulatedSampler:
    """Draws words from a digest of prompt, seed and position; a constraint, or a tool that it must call, makes it say
    the smallest text that fits."""

    def __init__(self, engine: "SimulatedEngine", job: GenerateJob, prompt: Sequence[int], choice: int):
        self._engine = engine
        self._length = max(engine.options.answer_tokens, job.sampling.min_tokens)
        self._ignore_eos = job.sampling.ignore_eos
        self._script = answer_example(job, engine.tool_format)
        self._words = _drawn_from(job.sampling.logit_bias)
        self._top = job.top_logprobs
        # Choice 0 says what it said before there were choices: versions run side by side during an upgrade.
        source = (job.sampling.seed, list(prompt), choice) if choice else (job.sampling.seed, list(prompt))
        self._key = blake2b(repr(source).encode(), digest_size=16).digest()
        engine.open_samplers += 1
        self._is_open = True

    def sample(self, row: int, seq: int) -> Sampled:
        token = self._choose(row, seq)
        return Sampled(token, None if self._top is None else self._engine.logprobs(row, token, self._top))

    def _choose(self, row: int, seq: int) -> int:
        if not 0 <= row < self._engine.rows:
            raise InferenceError(f"The last decode has no output row {row}.")
        if self._script is not None:
            return self._script[seq - 1] if seq <= len(self._script) else END_TOKEN
        if seq > self._length and not self._ignore_eos:
            return END_TOKEN
        drawn = blake2b(seq.to_bytes(8), key=self._key, digest_size=8).digest()
        return self._words[int.from_bytes(drawn) % len(self._words)]

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._engine.open_samplers -= 1


def _drawn_from(biases: dict[int, float]) -> list[int]:
    """The words that a bias leaves: those that are forced (100), else all that are not forbidden (-100)."""
    words = range(FIRST_WORD, FIRST_WORD + len(WORDS))
    forced = [word for word in words if biases.get(word, 0) >= 100]
    return forced or [word for word in words if biases.get(word, 0) > -100] or [END_TOKEN]


class SimulatedEngine:
    """Knows 256 bytes, an end token and some words. It refuses batches that llama.cpp would refuse."""

    def __init__(self, entry: ModelEntry, options: SimulatedOptions):
        self.options = options
        self.slots = options.slots
        self.context_length = entry.context_length
        self.batch_tokens = options.batch_tokens
        self.template = entry.template or "chatml"
        self.tool_format = template_format(self.template)
        self.bos = ""
        self.eos = "<|im_end|>"
        self.control_texts = ControlTexts()
        self.token_bytes = [bytes([byte]) for byte in range(256)] + [b""] + [f" {word}".encode() for word in WORDS]
        self.end_tokens = frozenset({END_TOKEN})
        self.rows = 0
        self.open_samplers = 0
        self.output_rows = options.batch_tokens
        self._held: list[list[int]] = [[] for _ in range(options.slots)]
        self._is_poisoned = False
        self._steps = 0
        self._words = {f" {word}": FIRST_WORD + index for index, word in enumerate(WORDS)}

    def tokenize(self, *parts: str) -> list[int]:
        tokens: list[int] = []
        for word in re.findall(r" ?\S+|\s", "".join(parts)):
            tokens += [self._words[word]] if word in self._words else list(word.encode(errors="replace"))
        return tokens

    def prepare(self, job: GenerateJob) -> None:
        for token in job.sampling.logit_bias:
            if not 0 <= token < len(self.token_bytes):
                raise BadRequestError(f"logit_bias names token {token}, which the model has not.", param="logit_bias")
        answer_example(job, self.tool_format)

    def new_sampler(
        self, job: GenerateJob, prompt: Sequence[int], generated: Sequence[int], choice: int
    ) -> SimulatedSampler:
        self.prepare(job)
        poison = self.options.poison
        self._is_poisoned |= bool(poison) and poison in job.model_dump_json()
        return SimulatedSampler(self, job, prompt, choice)

    def sample(self, draws: Sequence[Draw]) -> list[Sampled | DroverError]:
        return draw_in_turn(draws)

    def logprobs(self, row: int, token: int, top: int) -> list[TokenLogprob]:
        """The chosen token is certain, all others share what is left of the probability."""
        others = [other for other in range(len(self.token_bytes)) if other != token]
        likeliest = [token, *others][:top]
        return [TokenLogprob(one, 0.0 if one == token else -20.0, self.token_bytes[one]) for one in (token, *likeliest)]

    def decode(self, pieces: Sequence[Piece]) -> None:
        total = sum(len(piece.tokens) for piece in pieces)
        if not 0 < total <= self.batch_tokens:
            raise DecodeError(f"A batch of {total} tokens is not between 1 and {self.batch_tokens}.")
        for piece in pieces:
            held = self._held[piece.slot]
            if piece.position != len(held):
                raise DecodeError(f"Slot {piece.slot} goes on at {len(held)}, not at {piece.position}.")
            held.extend(piece.tokens)
            if len(held) > self.context_length:
                raise DecodeError(f"Slot {piece.slot} is longer than the context.")
        self.rows = sum(piece.rows for piece in pieces)
        prompt_tokens = sum(len(piece.tokens) for piece in pieces if len(piece.tokens) > 1)
        self._come_to_harm()
        time.sleep((self.options.step_ms + prompt_tokens * self.options.prompt_token_ms) / 1000)

    def _come_to_harm(self) -> None:
        if self._is_poisoned:
            os.kill(os.getpid(), signal.SIGKILL)
        self._steps += 1
        if 0 < self.options.hang_after_steps < self._steps:
            threading.Event().wait()

    def clear(self, slot: int) -> None:
        self._held[slot] = []

    def rest(self, slot: int) -> None:
        return

    def truncate(self, slot: int, length: int) -> bool:
        is_long_enough = len(self._held[slot]) >= length
        self._held[slot] = self._held[slot][:length] if is_long_enough else []
        return is_long_enough

    def copy(self, source: int, target: int, length: int) -> bool:
        self._held[target] = list(self._held[source])
        return self.truncate(target, length)

    def close(self) -> None:
        self._held = [[] for _ in range(self.slots)]


class SimulatedFactory:
    """Opens simulated models; their files need not exist."""

    name = "simulated"

    def __init__(self, options: SimulatedOptions):
        self._options = options

    def needed_bytes(self, entry: ModelEntry, path: Path) -> int:
        return self._options.model_bytes

    def open(self, entry: ModelEntry, path: Path, on_progress: Callable[[float], None] | None = None) -> Engine:
        for done in range(LOAD_PARTS):
            if on_progress is not None:
                on_progress(done / LOAD_PARTS)
            time.sleep(self._options.load_ms / 1000 / LOAD_PARTS)
        roomy = entry.model_copy(update={"context_length": BYTES_PER_TOKEN * entry.context_length})
        return SimulatedEngine(roomy, self._options)
