"""The handover: jobs of this worker go back to their queues, for other workers to go on with."""

import time
from collections.abc import Collection

import structlog

from shared.ledger import Ledger
from worker.broker import Broker
from worker.publisher import Publisher
from worker.running import RunningJob, RunningJobs

log = structlog.get_logger(__name__)


class Handover:
    """Releases jobs, not counted as deliveries, and wakes other workers for them. Thread-safe."""

    def __init__(self, ledger: Ledger, broker: Broker, jobs: RunningJobs, publisher: Publisher):
        self._ledger = ledger
        self._broker = broker
        self._jobs = jobs
        self._publisher = publisher

    def hand_over(self, timeout_s: float, models: Collection[str] | None = None) -> int:
        """Stop all jobs, or those of these models, write what they have emitted, give them back; how many were.

        Whatever is not given back within `timeout_s` is given away by the reaper a lease later.
        """
        end = time.monotonic() + timeout_s
        jobs = [job for job in self._jobs.all() if models is None or job.job.model in models]
        for job in jobs:
            job.halt()
        if jobs and not self._publisher.flush(max(0.0, end - time.monotonic())):
            log.error("tokens_not_written", jobs=len(jobs))
        return sum(self.give_back(job) for job in jobs if time.monotonic() < end)

    def give_back(self, job: RunningJob) -> bool:
        """Release one job that is decoded no further and hint it, unless it has ended meanwhile; whether it was."""
        if job.is_over:
            return False
        try:
            answer = self._ledger.release(job.id, job.epoch)
        except Exception as error:  # its lease runs out
            log.warning("job_not_released", job_id=job.id, error=repr(error))
            return False
        job.end()
        return answer == "ok" and self._broker.send(job.hint())
