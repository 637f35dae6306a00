"""The two parts of Celery's worker that do not suit a process full of models, replaced."""

from typing import Any

import structlog
from celery.concurrency.thread import TaskPool
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

log = structlog.get_logger(__name__)

_RECONNECT_S = 0.25
_RECONNECT_MAX_S = 1.0


class JobThreads(TaskPool):  # type: ignore[misc]  # celery ships no types
    """The thread pool, but its end does not wait for the jobs.

    After a broker's fault the next round begins at once, and a drain ends the jobs by itself.
    """

    def on_stop(self) -> None:
        self.executor.shutdown(wait=False, cancel_futures=True)


class QuickConsumer(Consumer):  # type: ignore[misc]  # celery ships no types
    """The consumer, but it knocks at a lost broker every second: Celery's own pauses grow to half a minute."""

    def ensure_connected(self, conn: Any) -> Any:
        def tell(error: Exception, interval_s: float) -> None:
            if self.broker_connection_retry_attempt == 0:
                log.warning("broker_away", broker=conn.as_uri(), error=repr(error))
            self.broker_connection_retry_attempt += 1

        connected = conn.ensure_connection(
            tell,
            max_retries=None,
            interval_start=_RECONNECT_S,
            interval_step=_RECONNECT_S,
            interval_max=_RECONNECT_MAX_S,
            callback=maybe_shutdown,
        )
        self.first_connection_attempt = False
        self.broker_connection_retry_attempt = 0
        return connected
