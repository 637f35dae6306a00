"""The publisher: one thread that brings the events of all running jobs into the ledger."""

import threading
import time
from collections import Counter

import structlog

from shared.events import FinalEvent
from shared.ledger import Ledger
from shared.telemetry import instruments
from worker.running import Batch, RunningJobs

log = structlog.get_logger(__name__)

FLUSH_S = 0.015
"""Tokens that follow a flush wait so long at most: a stream stays smooth and a fast model costs few writes."""

GIVE_UP_S = 10.0
"""So long is a batch offered to a Redis that does not take it. The lease is gone by then, another worker goes on."""

_RETRY_S = (0.05, 0.1, 0.2, 0.5)


class Publisher:
    """Coalesces and writes. Every event reaches the ledger once and in order, or its job is abandoned here.

    A flush takes what all jobs have emitted and writes it in one call. The first token of a job, a final event
    and eight waiting tokens cause one at once; other tokens at once too if the last flush is FLUSH_S past.
    """

    def __init__(self, ledger: Ledger, jobs: RunningJobs, *, give_up_s: float = GIVE_UP_S):
        self._ledger = ledger
        self._jobs = jobs
        self._give_up_s = give_up_s
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._is_urgent = False
        self._is_idle = False
        self._is_writing = False
        self._thread = threading.Thread(target=self._loop, name="publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is not written by then stays unwritten."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(1.0)

    def notify(self, is_urgent: bool) -> None:
        """Say that a job has emitted. Called by decode threads: wakes the publisher only when it must."""
        if is_urgent:
            self._is_urgent = True
            self._wake.set()
        elif self._is_idle:
            self._wake.set()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was emitted is written; whether it was within `timeout_s`."""
        end = time.monotonic() + timeout_s
        while self._has_outgoing() or self._is_writing:  # in this order: what is taken is being written by then
            if time.monotonic() >= end:
                return False
            self.notify(is_urgent=True)
            time.sleep(0.002)
        return True

    def _has_outgoing(self) -> bool:
        return any(job.has_outgoing() for job in self._jobs.all())

    def _loop(self) -> None:
        last_flush = 0.0
        while not self._stopping.is_set():
            try:
                self._wait_for_work(last_flush)
                last_flush = time.monotonic()
                self._flush_once()
            except Exception:
                log.exception("publisher_failed")

    def _wait_for_work(self, last_flush: float) -> None:
        """Return when something is to be written now."""
        self._is_idle = True  # before the look below, so that an event after it finds the publisher idle
        if not self._has_outgoing():
            self._wake.wait()
        self._is_idle = False
        while not self._is_urgent and not self._stopping.is_set():
            left_s = last_flush + FLUSH_S - time.monotonic()
            if left_s <= 0:
                break
            self._wake.clear()
            if not self._is_urgent:
                self._wake.wait(left_s)
        self._wake.clear()
        self._is_urgent = False

    def _flush_once(self) -> None:
        self._is_writing = True
        try:
            batches = [batch for job in self._jobs.all() if not job.is_over and (batch := job.take())]
            if batches:
                self._write(batches)
        finally:
            self._is_writing = False

    def _write(self, batches: list[Batch]) -> None:
        """Offer exactly these batches until they are taken: an answer may have been lost on its way back."""
        give_up_at = time.monotonic() + self._give_up_s
        attempt = 0
        while True:
            try:
                self._write_tokens(batches)
                self._write_finals(batches)
                return
            except Exception as error:
                if attempt == 0:
                    log.warning("ledger_write_failed", error=repr(error), jobs=len(batches))
                pause_s = _RETRY_S[min(attempt, len(_RETRY_S) - 1)]
                attempt += 1
            if time.monotonic() + pause_s > give_up_at or self._stopping.wait(pause_s):
                return self._give_up(batches)

    def _write_tokens(self, batches: list[Batch]) -> None:
        waiting = [(batch, batch.tokens) for batch in batches if batch.tokens and not batch.job.is_over]
        if not waiting:
            return
        answers = self._ledger.append([tokens for _, tokens in waiting])
        written, now = Counter[str](), time.monotonic()
        for (batch, tokens), answer in zip(waiting, answers, strict=True):
            batch.tokens = None
            if answer == "fenced":
                self._lose(batch)
                continue
            written[batch.job.job.model] += len(tokens.token_ids)
            batch.job.has_progressed, batch.job.heard_at = True, now
            if answer == "cancelled":
                batch.job.cancel()
        for model, count in written.items():  # once a model: it takes 10 µs
            instruments.TOKENS.add(count, {"kind": "completion", "model": model})

    def _write_finals(self, batches: list[Batch]) -> None:
        for batch in batches:
            if batch.final is None or batch.job.is_over:
                continue
            times = batch.job.times
            times.finishing_ns = time.time_ns()
            if self._ledger.finish(batch.final) == "fenced":
                self._lose(batch)
                continue
            times.finished_ns = time.time_ns()
            _count_prompt(batch.final, batch.job.job.model)
            batch.job.end()

    def _lose(self, batch: Batch) -> None:
        if batch.job.abandon():
            instruments.FENCED.add(1)
            log.info("job_fenced", job_id=batch.job.id, epoch=batch.job.epoch)

    def _give_up(self, batches: list[Batch]) -> None:
        for batch in batches:
            if (batch.tokens or batch.final) and batch.job.abandon():
                log.error("job_abandoned", job_id=batch.job.id, reason="the ledger took no events")


def _count_prompt(final: FinalEvent, model: str) -> None:
    instruments.TOKENS.add(final.usage.prompt_tokens, {"kind": "prompt", "model": model})
    instruments.TOKENS.add(final.usage.cached_tokens, {"kind": "cached", "model": model})
