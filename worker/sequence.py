"""A sequence: one job inside a decode batch, from its request to its final event."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock

import structlog

from shared.errors import ContextLengthExceededError, DroverError
from shared.events import FinalEvent, FinishReason, TokensEvent, Usage
from shared.job import GenerateJob
from worker.engine.base import Engine, Sampler
from worker.text import TextStream

_log = structlog.get_logger(__name__)

Emit = Callable[[TokensEvent | FinalEvent], None]


@dataclass(frozen=True, slots=True)
class SequenceRequest:
    """What the job side hands to a model.

    `logged` are the events of the job's earlier lives, in order; the sequence goes on after their last token.
    `emit` is called from the decode thread and must not block: one TokensEvent per sampled token, then exactly one
    FinalEvent, unless the job is abandoned. The job's deadline is not kept here: Redis' clock decides, see leases.
    """

    job: GenerateJob
    epoch: int
    logged: list[TokensEvent]
    emit: Emit


@dataclass(frozen=True, slots=True)
class Ending:
    """How a sequence ends."""

    reason: FinishReason
    error: DroverError | None = None


class Sequence:
    """The state of one job in its batch.

    `tokens` are the prompt and everything generated so far; the first `position` of them are in the KV of `slot`.
    The decode thread owns all of it; other threads only call `end_with` and `abandon`.
    """

    def __init__(self, request: SequenceRequest, prompt: list[int], engine: Engine):
        logged_ids = [token for event in request.logged for token in event.token_ids]
        self.job = request.job
        self.epoch = request.epoch
        self.tokens = prompt + logged_ids
        self.prompt_tokens = len(prompt)
        self.position = 0
        self.slot: int | None = None
        self.sampler: Sampler | None = None
        self.ending: Ending | None = None
        self.is_abandoned = False
        self._emit = request.emit
        self._emit_lock = RLock()  # an emit may itself find out that the job must be abandoned
        self._text = TextStream.resumed(
            request.job.stop,
            (engine.token_bytes[token] for token in logged_ids if 0 <= token < len(engine.token_bytes)),
            "".join(text for event in request.logged for text in event.texts),
        )
        self._limit = engine.context_length - self.prompt_tokens
        if request.job.max_tokens is not None:
            self._limit = min(self._limit, request.job.max_tokens)
        self._end_if_full(engine.context_length)

    @property
    def seq(self) -> int:
        """How many tokens have been generated, earlier lives included."""
        return len(self.tokens) - self.prompt_tokens

    @property
    def pending(self) -> int:
        """Tokens that are not in the KV yet; 1 while generating."""
        return len(self.tokens) - self.position

    @property
    def is_over(self) -> bool:
        return self.ending is not None or self.is_abandoned

    def open_sampler(self, engine: Engine) -> None:
        """Make the sampler, with what was generated so far accepted. Raises InferenceError."""
        if self.sampler is None:
            prompt, generated = self.tokens[: self.prompt_tokens], self.tokens[self.prompt_tokens :]
            self.sampler = engine.new_sampler(self.job, prompt, generated, choice=0)

    def accept(self, token: int, piece: bytes) -> None:
        """Take a sampled token: log it, show what may be shown of it, notice the end."""
        self.tokens.append(token)
        text = self._text.push(piece)
        self._send(TokensEvent(self.job.id, self.seq, self.epoch, [token], [text]))
        if self._text.is_stopped:
            self.end_with(Ending("stop"))
        elif self.seq >= self._limit:
            self.end_with(Ending("length"))

    def end_with(self, ending: Ending) -> None:
        """Ask for the end; the first who asks decides. The decode thread emits the final event."""
        if self.ending is None:
            self.ending = ending

    def abandon(self) -> None:
        """Once this returns, nothing is emitted any more."""
        with self._emit_lock:
            self.is_abandoned = True

    def close(self) -> None:
        """Free the sampler and emit the final event that `ending` asks for."""
        if self.sampler is not None:
            self.sampler.close()
            self.sampler = None
        if self.ending is not None:
            usage = Usage(self.prompt_tokens, self.seq)
            error = self.ending.error.body()["error"] if self.ending.error else None
            text = self._text.finish()
            self._send(FinalEvent(self.job.id, self.seq, self.epoch, self.ending.reason, text, usage, error))

    def _send(self, event: TokensEvent | FinalEvent) -> None:
        with self._emit_lock:
            if self.is_abandoned:
                return
            try:
                self._emit(event)
            except Exception:
                # Nobody can be told any more; the decode thread and the other sequences must not suffer for it.
                _log.exception("emit_failed")
                self.is_abandoned = True

    def _end_if_full(self, context_length: int) -> None:
        if self._text.is_stopped:
            self.end_with(Ending("stop"))
        elif self.prompt_tokens >= context_length:
            message = (
                f"The prompt has {self.prompt_tokens} tokens, the model's context holds {context_length}, its answer "
                "included; shorten the prompt or choose a model with a longer context."
            )
            self.end_with(Ending("error", ContextLengthExceededError(message, param="messages")))
        elif self.seq >= self._limit:
            self.end_with(Ending("length"))
