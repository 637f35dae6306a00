"""The reaper: every worker looks for jobs that others dropped; a lock in the ledger lets one do so at a time."""

import structlog

from shared.ledger import Hint, Ledger, Reaped
from shared.telemetry import instruments
from worker.broker import Broker
from worker.periodic import Periodic

log = structlog.get_logger(__name__)

EVERY_S = 0.25
LOCK_MS = 1000


class Reaper:
    """Gives new hints to jobs whose worker died, and to queued jobs whose hint was lost."""

    def __init__(self, ledger: Ledger, broker: Broker, *, worker_id: str, lease_ms: int):
        self._ledger = ledger
        self._broker = broker
        self._worker_id = worker_id
        self._lease_ms = lease_ms
        self._thread = Periodic("reaper", EVERY_S, self.reap)

    def start(self) -> None:
        self._thread.start()

    def reap(self) -> None:
        """One round. Raises what Redis or the broker raise when they are away; the next round finds the same jobs."""
        reaped = self._ledger.reap(worker_id=self._worker_id, lock_ms=LOCK_MS, lease_ms=self._lease_ms)
        _tell(reaped)
        for hint in reaped.requeued:
            self._broker.send(hint)
        for hint in reaped.overtaken:
            self._repair(hint)
        empty_queues: dict[str, bool] = {}
        for hint in reaped.unhinted:
            # A queue that still has hints is only slow: more of them would help nobody.
            if hint.model not in empty_queues:
                empty_queues[hint.model] = self._broker.is_empty(hint.model)
            if empty_queues[hint.model]:
                self._repair(hint)

    def _repair(self, hint: Hint) -> None:
        if self._broker.send(hint):
            instruments.HINT_REPAIRED.add(1)
            log.info("hint_repaired", job_id=hint.job_id, model=hint.model)


def _tell(reaped: Reaped) -> None:
    for hint in reaped.requeued:
        instruments.JOBS_REAPED.add(1, {"outcome": "requeued"})
        log.warning("job_requeued", job_id=hint.job_id, model=hint.model)
    for job_id in reaped.expired:
        instruments.JOBS_REAPED.add(1, {"outcome": "expired"})
        log.info("job_expired", job_id=job_id)
    for job_id in reaped.dead:
        instruments.JOBS_REAPED.add(1, {"outcome": "dead"})
        log.error("job_dead", job_id=job_id)
    for job_id in reaped.abandoned:
        instruments.JOBS_REAPED.add(1, {"outcome": "abandoned"})
        log.info("job_abandoned", job_id=job_id)
