"""The reaper: every worker looks for jobs that others dropped; a lock in the ledger lets one do so at a time."""

import time

import structlog
from opentelemetry.trace import SpanKind

from shared.ledger import Hint, Ledger, Reaped
from shared.telemetry import instruments, traces
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
            self._requeue(hint)
        for hint in reaped.overtaken:
            self._repair(hint)
        empty_queues: dict[str, bool] = {}
        for hint in reaped.unhinted:
            # A queue that still has hints is only slow: more of them would help nobody.
            if hint.model not in empty_queues:
                empty_queues[hint.model] = self._broker.is_empty(hint.model)
            if empty_queues[hint.model]:
                self._repair(hint)

    def _requeue(self, hint: Hint) -> None:
        """Its worker is lost, and that worker's spans with it: this one shows in the job's trace what happened."""
        began_ns = time.time_ns()
        is_sent = self._broker.send(hint)
        attributes = {traces.JOB_ID: hint.job_id, "drover.worker.id": self._worker_id}
        error = None if is_sent else "hint_not_sent"
        traces.note_span(
            "requeue", hint.traceparent, began_ns, time.time_ns(), SpanKind.PRODUCER, attributes, error=error
        )

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
