"""The jobs that this worker has claimed: what is asked of each, and its events on their way to the ledger."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.errors import DeadlineExceededError, DroverError
from shared.events import FinalEvent, FinishReason, TokensEvent, Usage, joined
from shared.job import GenerateJob
from shared.ledger import Hint, Lease
from worker.answer import Answer
from worker.job_times import JobTimes
from worker.loaded_model import LoadedModel
from worker.sequence import SequenceRequest

URGENT_TOKENS = 8
"""So many waiting tokens of one job are not held back any longer, however short their wait was."""


LOAD_STALL_S = 300.0
"""A load that has got no further for so long hangs. Loaders tell of tensors, not of what comes after them."""


@dataclass(slots=True)
class Batch:
    """What is written of one job at a time: its new tokens as one event, its final event, or both."""

    job: "RunningJob"
    tokens: TokensEvent | None
    final: FinalEvent | None


class RunningJob:
    """One claimed job until its last word. Thread-safe.

    Events come in from the decode thread (`emit`) and are fetched by the publisher (`take`). The job is *closed* when
    nothing more will be emitted, and *over* when this worker has nothing left to do for it.
    """

    def __init__(
        self,
        job: GenerateJob,
        *,
        epoch: int,
        seq: int,
        notify: Callable[[bool], None],
        prompt_tokens: int = 0,
        uncounted_tokens: int = 0,
        stays_alone: bool = False,
    ):
        """`seq`: tokens that the log already holds; the other counts are what an earlier life has told, see Lease.

        `notify(is_urgent)` is called after each event. `stays_alone`: no progress clears the job of suspicion.
        """
        self.job = job
        self.id = job.id
        self.epoch = epoch
        self.seq = seq
        self.heard_at = time.monotonic()
        """When the ledger last took tokens of this job, and said whether it is cancelled."""
        self.stays_alone = stays_alone
        self.has_progressed = False
        """Whether the log has got further in this life."""
        self.final: FinalEvent | None = None
        self.times = JobTimes()
        self._told = Lease(job.id, epoch, prompt_tokens, uncounted_tokens)
        self._load_progress = 0.0
        self._load_moved_at = time.monotonic()
        self._notify = notify
        self._outgoing: deque[TokensEvent | FinalEvent] = deque()
        self._lock = threading.Lock()
        self._ending = threading.Lock()
        self._over = threading.Event()
        self._loaded: LoadedModel | None = None
        self._answer: Answer | None = None
        self._has_emitted = False
        self._is_closed = False

    @property
    def loaded(self) -> LoadedModel | None:
        """The model that it was handed to."""
        return self._loaded

    @property
    def answer(self) -> Answer | None:
        return self._answer

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def is_stalled(self, now: float) -> bool:
        """Whether its model makes no progress though it should; loading is progress. `now`: time.monotonic()."""
        if self._is_closed:
            return False
        if self._loaded is None:
            return now - self._load_moved_at > LOAD_STALL_S
        return self._loaded.is_stalled(now)

    def note_load(self, progress: float, now: float) -> None:
        """Take notice of how much of the job's model is loaded (0 … 1)."""
        if progress != self._load_progress:
            self._load_progress, self._load_moved_at = progress, now

    def lease(self) -> Lease:
        """What is renewed, with the counts of tokens that the ledger needs should this worker die."""
        answer = self._answer
        if answer is None:
            return self._told
        return Lease(self.id, self.epoch, answer.prompt_size, answer.uncounted_tokens)

    def hint(self) -> Hint:
        """What wakes another worker for the job."""
        is_begun = self.seq > 0 or self.has_progressed
        return Hint(self.id, self.job.model, self.job.priority, is_begun, self.job.traceparent or "")

    def emit(self, event: TokensEvent | FinalEvent) -> None:
        """Take an event, unless the job is closed; a final event closes it. Costs microseconds, waits for nothing."""
        if self._is_closed:
            return
        is_final = isinstance(event, FinalEvent)
        if is_final or not self._has_emitted:
            self._note(event)
        self._outgoing.append(event)
        is_urgent = is_final or not self._has_emitted or len(self._outgoing) >= URGENT_TOKENS
        self._has_emitted = True
        if is_final:  # and never back to open: another thread may have halted the job meanwhile
            self._is_closed = True
        self._notify(is_urgent)

    def _note(self, event: TokensEvent | FinalEvent) -> None:
        if isinstance(event, FinalEvent):
            self.final, self.times.ended_ns = event, time.time_ns()
        else:
            self.times.first_token_ns = time.time_ns()

    def take(self) -> Batch | None:
        """All that was emitted since the last call, or None."""
        tokens: list[TokensEvent] = []
        final: FinalEvent | None = None
        while self._outgoing:
            event = self._outgoing.popleft()
            if isinstance(event, FinalEvent):
                final = event
            else:
                tokens.append(event)
        if not tokens and final is None:
            return None
        return Batch(self, joined(tokens) if tokens else None, final)

    def has_outgoing(self) -> bool:
        """Whether events wait for the publisher; those of a job that is over never do."""
        return bool(self._outgoing) and not self.is_over

    def submit_to(self, loaded: LoadedModel, request: SequenceRequest) -> None:
        """Have the model go on with the job, unless it was ended while the model was loading."""
        with self._lock:
            if self._is_closed:
                return
            self._loaded = loaded
        self.times.submitted_ns = time.time_ns()
        self._answer = loaded.submit(request)
        if self._is_closed or self.is_over:  # halted between the two lines above: the model did not know the job yet
            loaded.abandon(self.id, self.epoch)

    def cancel(self) -> None:
        """End the job as cancelled. Harmless twice; asked again by every append and renewal until it has happened."""
        if not self._end_before_submission("cancelled", None) and self._loaded is not None and not self.is_over:
            self._loaded.cancel(self.id, self.epoch)

    def expire(self) -> None:
        """End the job because its deadline has passed. Harmless twice."""
        if not self._end_before_submission("error", DeadlineExceededError()) and self._loaded and not self.is_over:
            self._loaded.expire(self.id, self.epoch)

    def fail(self, error: DroverError) -> None:
        """End a job that no model decodes with one explicit error."""
        self.emit(self._final("error", error))

    def halt(self) -> None:
        """Decode no further; what was emitted until now may still be published."""
        with self._lock:
            loaded = self._loaded
            if loaded is None:
                self._is_closed = True
        if loaded is not None and not self.is_over:
            loaded.abandon(self.id, self.epoch)
            self._is_closed = True

    def abandon(self) -> bool:
        """Decode and publish no further: the job is another worker's, or will be. Whether there was one to stop."""
        with self._ending:
            if self.is_over:
                return False
            self.halt()
            self.end()
            return True

    def end(self) -> None:
        """Say that nothing is left to do for the job."""
        self._outgoing.clear()
        self._over.set()

    def wait(self) -> None:
        """Block until the job is over."""
        self._over.wait()

    def _end_before_submission(self, reason: FinishReason, error: DroverError | None) -> bool:
        with self._lock:
            if self._loaded is not None:
                return False
            self.emit(self._final(reason, error))
            return True

    def _final(self, reason: FinishReason, error: DroverError | None) -> FinalEvent:
        described = error.body()["error"] if error else None
        usage = Usage(self._told.prompt_tokens, max(0, self.seq - self._told.uncounted_tokens))
        return FinalEvent(self.id, self.seq, self.epoch, reason, usage=usage, error=described)


class RunningJobs:
    """All claimed jobs of this worker. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, RunningJob] = {}

    def all(self) -> list[RunningJob]:
        with self._lock:
            return list(self._jobs.values())

    def get(self, job_id: str) -> RunningJob | None:
        with self._lock:
            return self._jobs.get(job_id)

    def __len__(self) -> int:
        return len(self._jobs)

    @contextmanager
    def hold(self, job: RunningJob) -> Iterator[None]:
        """Count the job as running within the block.

        Of two claims of one job the older one is abandoned, whichever of them comes first.
        """
        with self._lock:
            other = self._jobs.get(job.id)
            is_newest = other is None or other.epoch < job.epoch
            if is_newest:
                self._jobs[job.id] = job
        if other is not None:
            (other if is_newest else job).abandon()
        try:
            yield
        finally:
            job.end()
            with self._lock:
                if self._jobs.get(job.id) is job:
                    del self._jobs[job.id]
