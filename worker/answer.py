"""The answer to one job: what its choices share, from the prompt to the final event."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import DroverError
from shared.events import ChoiceEnd, FinishReason, TokenLogprob, Usage
from shared.job import GenerateJob
from shared.telemetry import instruments
from worker.emission import Emission
from worker.engine.base import Engine
from worker.text import TextStream

Tokens = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a choice, or a whole job, ends. `stop` is the stop string if it was one."""

    reason: FinishReason
    error: DroverError | None = None
    stop: str | None = None


class Answer:
    """Other threads call `end_with` and `abandon`, and read what says so; the decode thread owns the rest."""

    def __init__(self, job: GenerateJob, epoch: int, prompt: list[int], emission: Emission, engine: Engine):
        self.job = job
        self.epoch = epoch
        self.prompt: Tokens = np.array(prompt, dtype=np.int32)
        self.prompt_size = len(prompt)
        self.tokens = emission.tokens
        """Emit tokens of a choice, see Emission."""
        self.arrival = 0
        """Its place in the order of arrival, given by the batcher."""
        self.ending: Ending | None = None
        """Of the whole job, and so of every choice: cancelled, or failed."""
        self.echoed = [0] * job.n
        """How many of the prompt's tokens each choice has been given, if it is to have them."""
        self.end_tokens = 0
        """How many end tokens were emitted, or logged before: only a job of several choices has them in its log."""
        self._emission = emission
        self._engine = engine
        self.begun_ns = 0
        """When its first sequence came into the batch, in nanoseconds since the epoch."""
        self._cached_tokens: int | None = None
        self._ends: list[ChoiceEnd | None] = [None] * job.n
        self._stop: str | None = None
        self._completion_tokens = 0
        self._echo_texts = _texts(prompt, engine) if job.echo else []

    @property
    def is_over(self) -> bool:
        return self.ending is not None or self._emission.is_abandoned

    @property
    def is_closed(self) -> bool:
        return None not in self._ends

    @property
    def is_echoed(self) -> bool:
        """Whether every choice has the prompt's tokens, if it is to have them."""
        return not self.job.echo or min(self.echoed) == self.prompt_size

    @property
    def uncounted_tokens(self) -> int:
        """The tokens of the log that `usage` does not count as the answer's. May be asked by any thread."""
        return sum(self.echoed) + self.end_tokens

    def end_with(self, ending: Ending) -> None:
        """Ask for the end of all choices; the first who asks decides. The decode thread emits the final event."""
        if self.ending is None:
            self.ending = ending

    def abandon(self) -> None:
        """Once this returns, nothing is emitted any more."""
        self._emission.abandon()

    def echo_text(self) -> None:
        """Emit the echo, if it is wanted and needs no logprobs."""
        if self.job.top_logprobs is None and not self.is_echoed and not self.is_over:
            self._echo(0, self.prompt_size, None)

    def echo_rows(self, start: int, row: int, count: int) -> None:
        """Emit those prompt tokens whose logprobs are in the `count` output rows from `row` on.

        The first of these rows is the one after prompt token `start`. Nothing is before the first token of a prompt,
        so that one has no logprobs.
        """
        if start == 0:
            self._echo(0, 1, [[]])
        first, end = start + 1, min(start + 1 + count, self.prompt_size)
        top = self.job.top_logprobs or 0
        places = enumerate(self.prompt[first:end].tolist())
        self._echo(first, end, [self._engine.logprobs(row + offset, token, top) for offset, token in places])

    def count_cached(self, tokens: int) -> None:
        """Note how much of the prompt was in the KV cache when its first sequence began."""
        if self._cached_tokens is None:
            self.begun_ns = time.time_ns()
            self._cached_tokens = min(tokens, self.prompt_size)
            model, missed = self.job.model, self.prompt_size - self._cached_tokens
            instruments.PREFIX_CACHE_TOKENS.add(self._cached_tokens, {"model": model, "result": "hit"})
            instruments.PREFIX_CACHE_TOKENS.add(missed, {"model": model, "result": "miss"})

    def close(self, choice: int, ending: Ending | None, held_text: str, completion_tokens: int) -> None:
        """Note the end of a choice; the last one is the job's end. A job is cancelled, or fails, as a whole."""
        reason = ending.reason if ending else "cancelled"
        self._ends[choice] = ChoiceEnd(reason, held_text)
        if choice == 0 and ending is not None:
            self._stop = ending.stop
        self._completion_tokens += completion_tokens
        ends = [end for end in self._ends if end is not None]
        if len(ends) < len(self._ends):
            return
        whole = self.ending
        if whole is not None and any(end.finish_reason == whole.reason for end in ends):
            ends = [ChoiceEnd(whole.reason, end.text) for end in ends]
            error, self._stop = whole.error, None
        else:  # every choice had come to its own end before somebody asked
            error = None
        usage = Usage(self.prompt_size, self._completion_tokens, self._cached_tokens or 0)
        self._emission.final(ends, usage, error, self._stop)

    def _echo(self, start: int, end: int, logprobs: list[list[TokenLogprob]] | None) -> None:
        """Emit the prompt's tokens `start` … `end`-1 for every choice that does not have them."""
        for choice, echoed in enumerate(self.echoed):
            first = max(start, echoed)
            if first < end:
                tokens = self.prompt[first:end].tolist()
                rest = None if logprobs is None else logprobs[first - start :]
                self.tokens(choice, tokens, self._echo_texts[first:end], rest)
                self.echoed[choice] = end


def _texts(prompt: list[int], engine: Engine) -> list[str]:
    """What each token of the prompt adds to its text, stop strings and all."""
    stream = TextStream()
    texts = [stream.push(engine.token_bytes[token]) for token in prompt]
    texts[-1] += stream.finish()
    return texts
