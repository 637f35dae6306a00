"""The runner: one hint, from the claim of its job to the job's last word."""

import time
from uuid import uuid4

import structlog

from shared.errors import DroverError, InferenceError
from shared.events import FinalEvent, TokensEvent
from shared.ledger import Claimed, ClaimRefused, Ledger, LedgerAwayError, Unreadable
from worker.handover import Handover
from worker.job_trace import traced
from worker.model_cache import ModelCache
from worker.publisher import Publisher
from worker.quarantine import Quarantine
from worker.running import RunningJob, RunningJobs
from worker.sequence import SequenceRequest

log = structlog.get_logger(__name__)

_RETRY_S = (0.1, 0.4)
"""Pauses before a claim is sent again: the job of a claim whose answer is lost would use up a delivery."""


class Runner:
    """Claims, hands to the model, waits. Used by many threads at once, one a job."""

    def __init__(
        self,
        ledger: Ledger,
        cache: ModelCache,
        jobs: RunningJobs,
        publisher: Publisher,
        handover: Handover,
        quarantine: Quarantine,
        *,
        worker_id: str,
        lease_ms: int,
    ):
        self._ledger = ledger
        self._cache = cache
        self._jobs = jobs
        self._publisher = publisher
        self._handover = handover
        self._quarantine = quarantine
        self._worker_id = worker_id
        self._lease_ms = lease_ms

    def run(self, job_id: str) -> None:
        """Run the job, if it is there to be claimed, and return when this worker is done with it. Raises nothing."""
        self._run(job_id, is_alone=False)

    def run_alone(self, job_id: str) -> None:
        """The same for a job of the quarantine, in a worker that is kept empty for it."""
        self._run(job_id, is_alone=True)

    def _run(self, job_id: str, *, is_alone: bool) -> None:
        began_ns = time.time_ns()
        try:
            claimed = self._claim(job_id, is_alone)
        except Exception as error:  # the ledger is away: the reaper gives the job a new hint
            log.warning("claim_failed", job_id=job_id, error=repr(error))
            return
        if claimed is None:
            return
        job = RunningJob(
            claimed.job,
            epoch=claimed.epoch,
            seq=claimed.seq,
            notify=self._publisher.notify,
            prompt_tokens=claimed.prompt_tokens,
            uncounted_tokens=claimed.uncounted_tokens,
            stays_alone=claimed.stays_alone,
        )
        with self._jobs.hold(job), traced(claimed, job, worker_id=self._worker_id, began_ns=began_ns):
            log.info("job_claimed", job_id=job_id, model=claimed.job.model, epoch=job.epoch, seq=job.seq)
            if self._quarantine.is_on and not is_alone:  # looked at after the job is held, or both might miss the other
                self._return(job)
            else:
                self._work(job)
            job.wait()

    def _work(self, job: RunningJob) -> None:
        try:
            self._generate(job)
        except LedgerAwayError as error:
            log.warning("log_not_read", job_id=job.id, error=repr(error))
            self._return(job)
        except DroverError as error:
            log.warning("job_failed", job_id=job.id, error=error.message, code=error.code)
            job.fail(error)
        except Exception:
            log.exception("job_failed", job_id=job.id)
            job.fail(InferenceError())

    def _claim(self, job_id: str, is_alone: bool) -> Claimed | None:
        answer = self._claim_patiently(job_id, is_alone)
        if isinstance(answer, Claimed):
            return answer
        if isinstance(answer, Unreadable):
            self._refuse(answer)
        elif answer.reason == "quarantined":
            self._quarantine.ask(answer.model)
        else:  # another worker has it, or it is over: that is the de-duplication
            log.debug("claim_refused", job_id=job_id, reason=answer.reason)
        return None

    def _claim_patiently(self, job_id: str, is_alone: bool) -> Claimed | ClaimRefused | Unreadable:
        claim_id = uuid4().hex
        for pause_s in (*_RETRY_S, None):
            try:
                return self._ledger.claim(
                    job_id, worker_id=self._worker_id, claim_id=claim_id, lease_ms=self._lease_ms, is_alone=is_alone
                )
            except LedgerAwayError:
                if pause_s is None:
                    raise
                time.sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")

    def _refuse(self, unreadable: Unreadable) -> None:
        """End a job that another version wrote, or nobody: the next worker would understand it no better."""
        log.error("job_unreadable", job_id=unreadable.job_id)
        error = InferenceError().body()["error"]
        self._ledger.finish(FinalEvent(unreadable.job_id, unreadable.seq, unreadable.epoch, "error", error=error))

    def _generate(self, job: RunningJob) -> None:
        """Submit the job and wait, or give it back.

        Raises what ModelCache.use and LoadedModel.submit raise, LedgerAwayError, and UpstreamError for a log that
        cannot be understood.
        """
        logged = self._logged(job)
        with self._cache.use(job.job.model) as loaded:
            if loaded.is_stalled(time.monotonic()):
                return self._decline(job)
            job.submit_to(loaded, SequenceRequest(job=job.job, epoch=job.epoch, logged=logged, emit=job.emit))
            job.wait()

    def _decline(self, job: RunningJob) -> None:
        """Leave the job to another worker: one whose model hangs would use up its deliveries and kill it.

        No hint is sent. The reaper does so after a while, which keeps the job from circling if this is the only worker.
        """
        log.warning("job_given_back", job_id=job.id, model=job.job.model, reason="the model makes no progress")
        job.abandon()
        self._ledger.release(job.id, job.epoch)

    def _return(self, job: RunningJob) -> None:
        """Give the job back if the ledger answers, now or soon, so that no delivery is used up; else let it go."""
        job.halt()
        for pause_s in _RETRY_S:
            if self._handover.give_back(job):
                return
            time.sleep(pause_s)
        job.abandon()

    def _logged(self, job: RunningJob) -> list[TokensEvent]:
        if not job.seq:
            return []
        events = self._ledger.read_log(job.id)
        return [event for event in events if isinstance(event, TokensEvent)]
