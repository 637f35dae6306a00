"""A sequence: one choice of a job inside a decode batch."""

from dataclasses import dataclass

import numpy as np

from shared.errors import DroverError, InferenceError
from shared.events import TokensEvent
from shared.job import GenerateJob
from worker.answer import Answer, Ending, Tokens
from worker.emission import Emit
from worker.engine.base import Engine, Sampled, Sampler
from worker.text import TextStream


@dataclass(frozen=True, slots=True)
class SequenceRequest:
    """What the job side hands to a model.

    `logged` are the events of the job's earlier lives, in order; every choice goes on after its last token.
    `emit` is called from the decode thread and must not block: TokensEvents without a gap, then exactly one
    FinalEvent, unless the job is abandoned. The job's deadline is not kept here: Redis' clock decides, see leases.
    """

    job: GenerateJob
    epoch: int
    logged: list[TokensEvent]
    emit: Emit


@dataclass(frozen=True, slots=True)
class Begun:
    """What an earlier life has logged of a choice, without the prompt's echo. `is_ended`: up to its end token."""

    tokens: list[int]
    text: str = ""
    is_ended: bool = False


class Sequence:
    """The state of one choice. The decode thread owns it.

    `tokens` are the prompt and everything generated so far; the first `position` of them are in the KV of `slot`.
    """

    def __init__(self, answer: Answer, choice: int, begun: Begun, engine: Engine):
        self.answer = answer
        self.job = answer.job
        self.choice = choice
        self.tokens: list[int] = answer.prompt.tolist() + begun.tokens
        self.position = 0
        self.slot: int | None = None
        self.sampler: Sampler | None = None
        self.ending: Ending | None = None
        self.is_suspect = False
        """Whether it was part of a batch that failed: it is tried again alone."""
        self._engine = engine
        self._text = TextStream.resumed(
            self.job.stop,
            (engine.token_bytes[token] for token in begun.tokens if 0 <= token < len(engine.token_bytes)),
            begun.text,
        )
        self._limit = engine.context_length - answer.prompt_size
        if self.job.max_tokens is not None:
            self._limit = min(self._limit, self.job.max_tokens)
        if self._text.is_stopped or begun.is_ended:
            self.ending = Ending("stop", stop=self._text.stop)
        elif not answer.is_over:
            self.end_at_limit()

    @property
    def generated(self) -> int:
        """How many tokens this choice has, earlier lives included and the prompt's echo not."""
        return len(self.tokens) - self.answer.prompt_size

    @property
    def pending(self) -> int:
        """Tokens that are not in the KV yet; 1 while generating."""
        return len(self.tokens) - self.position

    @property
    def wants_rows(self) -> bool:
        """Whether it still has to find out the logprobs of the prompt, for all choices."""
        return self.choice == 0 and self.job.top_logprobs is not None and not self.answer.is_echoed

    @property
    def may_begin(self) -> bool:
        """Whether it may be decoded: no choice says anything before it has its echo."""
        return self.answer.is_echoed or self.wants_rows

    @property
    def is_over(self) -> bool:
        return self.ending is not None or self.answer.is_over

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Who comes first is lower: interactive jobs, then older ones."""
        return (self.job.priority == "batch", self.answer.arrival, self.choice)

    @property
    def reusable(self) -> Tokens:
        """The tokens that may come from another sequence's KV: not the last, whose output the next is drawn from."""
        if self.wants_rows:
            return self.answer.prompt[:0]
        return np.array(self.tokens[:-1], dtype=np.int32) if self.generated else self.answer.prompt[:-1]

    def open_sampler(self) -> None:
        """Make the sampler, with what was generated so far accepted. Raises InferenceError or BadRequestError."""
        if self.sampler is None:
            size = self.answer.prompt_size
            self.sampler = self._engine.new_sampler(self.job, self.tokens[:size], self.tokens[size:], self.choice)

    def accept(self, sampled: Sampled) -> None:
        """Take a sampled token: log it, show what may be shown of it, notice the end."""
        token, logprobs = sampled
        if token in self._engine.end_tokens and not self.job.sampling.ignore_eos:
            if self.job.n > 1:  # so that a continued job knows which choices are over
                self.answer.end_tokens += 1
                self.answer.tokens(self.choice, [token], [""])
            self.ending = Ending("stop")
            return
        self.tokens.append(token)
        text = self._text.push(self._engine.token_bytes[token])
        self.answer.tokens(self.choice, [token], [text], None if logprobs is None else [logprobs])
        if self._text.is_stopped:
            self.ending = Ending("stop", stop=self._text.stop)
        else:
            self.end_at_limit()

    def end_at_limit(self) -> None:
        """End if there are as many tokens as there may be."""
        if self.generated >= self._limit and not self.wants_rows:
            self.ending = Ending("length")

    def fail(self, error: DroverError | None = None) -> None:
        """End the whole job with an error."""
        self.answer.end_with(Ending("error", error or InferenceError()))

    def close(self) -> None:
        """Free the sampler and tell the answer."""
        if self.sampler is not None:
            self.sampler.close()
            self.sampler = None
        self.answer.close(self.choice, self.ending or self.answer.ending, self._text.finish(), self.generated)
