"""The runner: one hint, from the claim of its job to the job's last word."""

import time
from uuid import uuid4

import structlog

from shared.errors import DroverError, InferenceError
from shared.events import TokensEvent
from shared.ledger import Claimed, ClaimRefused, Ledger
from worker.model_cache import ModelCache
from worker.publisher import Publisher
from worker.running import RunningJob, RunningJobs
from worker.sequence import SequenceRequest

log = structlog.get_logger(__name__)


class Runner:
    """Claims, hands to the model, waits. Used by many threads at once, one a job."""

    def __init__(
        self,
        ledger: Ledger,
        cache: ModelCache,
        jobs: RunningJobs,
        publisher: Publisher,
        *,
        worker_id: str,
        lease_ms: int,
    ):
        self._ledger = ledger
        self._cache = cache
        self._jobs = jobs
        self._publisher = publisher
        self._worker_id = worker_id
        self._lease_ms = lease_ms

    def run(self, job_id: str) -> None:
        """Run the job, if it is there to be claimed, and return when this worker is done with it. Raises nothing."""
        try:
            claimed = self._claim(job_id)
            logged = self._logged(claimed) if claimed else []
        except Exception as error:  # the ledger is away: the reaper gives the job a new hint
            log.warning("claim_failed", job_id=job_id, error=repr(error))
            return
        if claimed is None:
            return
        job = RunningJob(claimed.job, epoch=claimed.epoch, seq=claimed.seq, notify=self._publisher.notify)
        with self._jobs.hold(job):
            log.info("job_claimed", job_id=job_id, model=claimed.job.model, epoch=job.epoch, seq=job.seq)
            try:
                self._generate(job, logged)
            except DroverError as error:
                log.warning("job_failed", job_id=job_id, error=error.message, code=error.code)
                job.fail(error)
            except Exception:
                log.exception("job_failed", job_id=job_id)
                job.fail(InferenceError())
            job.wait()

    def _claim(self, job_id: str) -> Claimed | None:
        answer = self._ledger.claim(job_id, worker_id=self._worker_id, claim_id=uuid4().hex, lease_ms=self._lease_ms)
        if isinstance(answer, ClaimRefused):  # another worker has it, or it is over: that is the de-duplication
            log.debug("claim_refused", job_id=job_id, reason=answer.reason)
            return None
        return answer

    def _generate(self, job: RunningJob, logged: list[TokensEvent]) -> None:
        """Submit the job and wait, or give it back. Raises what ModelCache.use and LoadedModel.submit raise."""
        with self._cache.use(job.job.model) as loaded:
            if loaded.is_stalled(time.monotonic()):
                return self._give_back(job)
            job.submit_to(loaded, SequenceRequest(job=job.job, epoch=job.epoch, logged=logged, emit=job.emit))
            job.wait()

    def _give_back(self, job: RunningJob) -> None:
        """Leave the job to another worker: one whose model hangs would use up its deliveries and kill it.

        No hint is sent. The reaper does so after a while, which keeps the job from circling if this is the only worker.
        """
        log.warning("job_given_back", job_id=job.id, model=job.job.model, reason="the model makes no progress")
        job.abandon()
        self._ledger.release(job.id, job.epoch)

    def _logged(self, claimed: Claimed) -> list[TokensEvent]:
        if not claimed.seq:
            return []
        events = self._ledger.read_log(claimed.job.id)
        return [event for event in events if isinstance(event, TokensEvent)]
