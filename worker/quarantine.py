"""The quarantine: a job that may have killed workers runs alone, so that no other job dies with it."""

import threading
import time
from collections import deque
from collections.abc import Callable

import structlog

from shared.ledger import Ledger, LedgerAwayError
from worker.handover import Handover
from worker.running import RunningJobs

log = structlog.get_logger(__name__)

PATIENCE_S = 2.0
"""So long may the jobs in hand end here before they go to other workers: the suspect waits meanwhile."""

LOCK_MS = 3000
"""A worker that dies of its suspect keeps the others from the next one for this long."""

_HOLD_EVERY_S = 0.5
_LOOK_EVERY_S = 0.02
_HANDOVER_S = 1.0


class Quarantine:
    """Empties this worker for one suspicious job at a time, until no more of that model wait.

    Under a lock in the ledger, so that one worker at a time is taken from the others. Without a new token a job stays
    alone to its end; the first one clears it, unless it has survived too many workers for that.
    """

    def __init__(
        self,
        ledger: Ledger,
        jobs: RunningJobs,
        handover: Handover,
        *,
        worker_id: str,
        run_alone: Callable[[str], None],
        pause: Callable[[], object],
        resume: Callable[[], None],
    ):
        """`run_alone(job_id)` blocks until the job is over; `pause` and `resume` stop the taking of hints."""
        self._ledger = ledger
        self._jobs = jobs
        self._handover = handover
        self._worker_id = worker_id
        self._run_alone = run_alone
        self._pause_hints = pause
        self._resume_hints = resume
        self._models: deque[str] = deque()
        self._asked = threading.Event()
        self._stopping = threading.Event()
        self._is_on = False
        self._held_at = float("-inf")
        self._thread = threading.Thread(target=self._loop, name="quarantine", daemon=True)

    @property
    def is_on(self) -> bool:
        """Whether this worker is kept empty: a job that was claimed meanwhile has to be given back."""
        return self._is_on

    def start(self) -> None:
        self._thread.start()

    def ask(self, model: str) -> None:
        """Say that a claim was refused because a job of this model runs only alone; returns at once."""
        if model not in self._models:
            self._models.append(model)
        self._asked.set()

    def stop(self) -> None:
        """Begin with no further job: this worker drains."""
        self._stopping.set()
        self._asked.set()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._asked.wait()
            self._asked.clear()
            while self._models and not self._stopping.is_set():
                try:
                    self._serve(self._models.popleft())
                except Exception as error:  # the ledger is away: the reaper sends the hints again
                    log.warning("quarantine_failed", error=repr(error))

    def _serve(self, model: str) -> None:
        """Run the model's suspicious jobs, if no other worker does. Raises redis.exceptions.RedisError."""
        if not self._ledger.next_quarantined(model) or not self._ledger.hold_quarantine(self._worker_id, LOCK_MS):
            return
        self._is_on = True
        log.warning("quarantine_begins", model=model)
        try:
            self._pause_hints()
            self._run_each(model)
        finally:
            self._is_on = False
            if not self._stopping.is_set():
                self._resume_hints()
            log.info("quarantine_ends", model=model)
            self._ledger.leave_quarantine(self._worker_id)

    def _run_each(self, model: str) -> None:
        tried: set[str] = set()
        while (job_id := self._ledger.next_quarantined(model)) and job_id not in tried:
            tried.add(job_id)
            self._make_room()
            if self._stopping.is_set():
                return
            self._watch(job_id)

    def _make_room(self) -> None:
        """Return when no job runs here; those that do not end in time go to other workers."""
        patience_ends = time.monotonic() + PATIENCE_S
        while self._has_jobs() and not self._stopping.is_set():
            if time.monotonic() > patience_ends:
                self._handover.hand_over(_HANDOVER_S)
            self._pause()

    def _has_jobs(self) -> bool:
        return any(not job.is_over for job in self._jobs.all())

    def _watch(self, job_id: str) -> None:
        """Have the job run; return when it has ended, or is cleared."""
        log.warning("quarantined_job_begins", job_id=job_id)
        thread = threading.Thread(target=self._run_alone, args=(job_id,), name="quarantined-job", daemon=True)
        thread.start()
        while thread.is_alive() and not self._is_cleared(job_id) and not self._stopping.is_set():
            self._pause()

    def _is_cleared(self, job_id: str) -> bool:
        job = self._jobs.get(job_id)
        return job is not None and job.has_progressed and not job.stays_alone

    def _pause(self) -> None:
        """Wait a moment, and keep the lock."""
        self._stopping.wait(_LOOK_EVERY_S)
        if time.monotonic() - self._held_at < _HOLD_EVERY_S:
            return
        try:
            self._ledger.hold_quarantine(self._worker_id, LOCK_MS)
            self._held_at = time.monotonic()
        except LedgerAwayError as error:  # at worst a second worker empties itself meanwhile
            log.warning("quarantine_not_held", error=repr(error))
