"""The drain: what happens between SIGTERM and the exit, so that other workers go on where this one stopped."""

import time

import structlog

from shared.ledger import Ledger
from worker.broker import Broker
from worker.consumer import Consumer
from worker.presence import Presence
from worker.publisher import Publisher
from worker.running import RunningJob, RunningJobs

log = structlog.get_logger(__name__)

HANDOVER_S = 0.7
"""For everything after the grace; whatever is not handed over by then, the reaper gives away a lease later."""

_CONSUMER_END_S = 1.2
_LOOK_EVERY_S = 0.02


class Drain:
    """Stops taking jobs, lets the running ones end for the grace, gives the rest back to their queues."""

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        jobs: RunningJobs,
        publisher: Publisher,
        consumer: Consumer,
        presence: Presence,
        *,
        grace_s: float,
    ):
        self._ledger = ledger
        self._broker = broker
        self._jobs = jobs
        self._publisher = publisher
        self._consumer = consumer
        self._presence = presence
        self._grace_s = grace_s

    def run(self) -> None:
        """Do it; returns at most 2 s after the grace, or a little later when Redis is away."""
        log.info("drain_begins", jobs=len(self._jobs), grace_s=self._grace_s)
        grace_ends = time.monotonic() + self._grace_s
        self._presence.drain()
        self._consumer.stop()
        while self._jobs and time.monotonic() < grace_ends:
            time.sleep(_LOOK_EVERY_S)
        self._consumer.join(_CONSUMER_END_S)  # or it might take the hints that are sent below
        self._hand_over(time.monotonic() + HANDOVER_S)
        try:
            self._presence.withdraw()
        except Exception as error:  # it expires by itself
            log.warning("presence_not_withdrawn", error=repr(error))

    def _hand_over(self, end: float) -> None:
        jobs = self._jobs.all()
        for job in jobs:
            job.halt()
        if jobs and not self._publisher.flush(max(0.0, end - time.monotonic())):
            log.error("tokens_not_written", jobs=len(jobs))
        for job in jobs:
            if time.monotonic() < end:
                self._release(job)
        log.info("drain_ends", released=len(jobs))

    def _release(self, job: RunningJob) -> None:
        """Give one job back and wake another worker for it, unless it has ended meanwhile."""
        if job.is_over:
            return
        try:
            answer = self._ledger.release(job.id, job.epoch)
        except Exception as error:  # its lease runs out
            log.warning("job_not_released", job_id=job.id, error=repr(error))
            return
        job.end()
        if answer == "ok":
            self._broker.send(job.id, job.job.model)
