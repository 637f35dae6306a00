"""The leases: one thread that renews all jobs of this worker, and hears what became of them."""

import time
from collections.abc import Callable, Mapping

import structlog

from shared.ledger import Ledger, RenewAnswer
from shared.telemetry import instruments
from worker.periodic import Periodic
from worker.running import RunningJob, RunningJobs

log = structlog.get_logger(__name__)

ASK_EVERY_S = 0.08
"""A job without new tokens is renewed so often: nothing else would tell this worker soon that it is cancelled."""


class Leases:
    """Renews every lease/4 at the least, so that three renewals may fail. A job whose model is stalled is not renewed.

    A stalled job is dropped here when its lease has certainly run out: nobody tells this worker, it does not ask.
    """

    def __init__(
        self,
        ledger: Ledger,
        jobs: RunningJobs,
        *,
        worker_id: str,
        lease_s: float,
        loading: Callable[[], Mapping[str, float]] = dict,
    ):
        """`loading`: the models that are being loaded, with the fraction that is done."""
        self._ledger = ledger
        self._jobs = jobs
        self._worker_id = worker_id
        self._lease_s = lease_s
        self._loading = loading
        self._stalled_since: dict[RunningJob, float] = {}
        self._renewed_at = float("-inf")
        self._thread = Periodic("leases", min(ASK_EVERY_S, lease_s / 4), self._look)

    @property
    def lease_ms(self) -> int:
        return round(self._lease_s * 1000)

    def start(self) -> None:
        self._thread.start()

    def renew(self) -> None:
        """One round over all jobs. Raises redis.exceptions.RedisError when the ledger cannot be reached."""
        self._renewed_at = time.monotonic()
        self._renew(self._without_stalled(self._jobs.all()))

    def _look(self) -> None:
        """Renew all jobs when it is time to, and in between those that say nothing."""
        if time.monotonic() - self._renewed_at >= self._lease_s / 4:
            return self.renew()
        quiet_since = time.monotonic() - ASK_EVERY_S
        self._renew([job for job in self._without_stalled(self._jobs.all()) if job.heard_at < quiet_since])

    def _renew(self, jobs: list[RunningJob]) -> None:
        if not jobs:
            return
        answers = self._ledger.renew(self._worker_id, [job.lease() for job in jobs], self.lease_ms)
        for job, answer in zip(jobs, answers, strict=True):
            _heed(job, answer)

    def _without_stalled(self, jobs: list[RunningJob]) -> list[RunningJob]:
        now, loading = time.monotonic(), self._loading()
        for job in jobs:
            job.note_load(loading.get(job.job.model, 0.0), now)
        stalled = [job for job in jobs if job.is_stalled(now)]
        self._stalled_since = {job: self._stalled_since.get(job, now) for job in stalled}
        for job, since in self._stalled_since.items():
            if now - since > self._lease_s and job.abandon():
                instruments.LEASE_LOST.add(1)
                log.error("job_abandoned", job_id=job.id, model=job.job.model, reason="the model makes no progress")
        return [job for job in jobs if job not in self._stalled_since]


def _heed(job: RunningJob, answer: RenewAnswer) -> None:
    if answer == "cancelled":
        job.cancel()
    elif answer == "expired":
        job.expire()
    elif answer == "lost" and not job.is_closed and job.abandon():
        # A closed job has its final event on the way: if that is refused, the publisher hears it.
        instruments.LEASE_LOST.add(1)
        log.warning("lease_lost", job_id=job.id, epoch=job.epoch)
