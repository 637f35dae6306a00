"""The way out of one job's events: numbered without gaps, one at a time, silent once the job is abandoned."""

from collections.abc import Callable
from threading import RLock

import structlog

from shared.errors import DroverError
from shared.events import ChoiceEnd, FinalEvent, TokenLogprob, TokensEvent, Usage
from shared.job import GenerateJob

_log = structlog.get_logger(__name__)

Emit = Callable[[TokensEvent | FinalEvent], None]


class Emission:
    """Any thread may abandon it; the decode thread does the rest."""

    def __init__(self, job: GenerateJob, epoch: int, seq: int, emit: Emit):
        """`seq`: tokens that the log already holds."""
        self.is_abandoned = False
        self._job = job
        self._epoch = epoch
        self._seq = seq
        self._emit = emit
        self._lock = RLock()  # an emit may itself find out that the job must be abandoned

    def abandon(self) -> None:
        """Once this returns, nothing is emitted any more."""
        with self._lock:
            self.is_abandoned = True

    def tokens(
        self, choice: int, tokens: list[int], texts: list[str], logprobs: list[list[TokenLogprob]] | None = None
    ) -> None:
        """Emit some tokens of one choice. In a job that wants logprobs a token without any has an empty list."""
        first = self._seq + 1
        self._seq += len(tokens)
        choices = [choice] * len(tokens) if self._job.n > 1 else None
        if self._job.top_logprobs is None:
            logprobs = None
        elif logprobs is None:
            logprobs = [[] for _ in tokens]
        self._send(TokensEvent(self._job.id, first, self._epoch, tokens, texts, choices, logprobs))

    def final(self, ends: list[ChoiceEnd], usage: Usage, error: DroverError | None, stop: str | None) -> None:
        """Emit the end of the job; `ends` are those of its choices, in order, `stop` the first one's stop string."""
        described = error.body()["error"] if error else None
        (reason, text), *others = ends
        told = FinalEvent(self._job.id, self._seq, self._epoch, reason, text, usage, described, tuple(others), stop)
        self._send(told)

    def _send(self, event: TokensEvent | FinalEvent) -> None:
        with self._lock:
            if self.is_abandoned:
                return
            try:
                self._emit(event)
            except Exception:
                # Nobody can be told any more; the decode thread and the other jobs must not suffer for it.
                _log.exception("emit_failed")
                self.is_abandoned = True
