"""The two parts of Celery's worker that do not suit a process full of models, replaced."""

from typing import Any

import structlog
from celery.concurrency.thread import TaskPool
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

from worker.subscription import Subscription

log = structlog.get_logger(__name__)

_RECONNECT_S = 0.25
_RECONNECT_MAX_S = 1.0


class JobThreads(TaskPool):  # type: ignore[misc]  # celery ships no types
    """The thread pool, but its end does not wait for the jobs.

    After a broker's fault the next round begins at once, and a drain ends the jobs by itself.
    """

    def on_stop(self) -> None:
        self.executor.shutdown(wait=False, cancel_futures=True)


class FollowingConsumer(Consumer):  # type: ignore[misc]  # celery ships no types
    """The consumer, but it takes the queues that its subscription wants, and knocks at a lost broker every second.

    Celery's own pauses between two attempts grow to half a minute.
    """

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]  # celery ships no types
        """All steps but the one that declares 28 queues for delayed tasks on RabbitMQ: hints are never delayed."""

        default_steps = [step for step in Consumer.Blueprint.default_steps if "delayed_delivery" not in step]  # noqa: RUF012

    def __init__(self, *args: Any, subscription: Subscription, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._subscription = subscription

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

    def on_ready(self) -> None:
        """Called in the loop's thread after every connect."""
        super().on_ready()
        self._subscription.attach(self._wake)
        self._follow()

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        self._subscription.detach()
        super().on_connection_error_after_connected(exc)

    def _wake(self) -> None:
        self.call_soon(self._follow)

    def _follow(self) -> None:
        """Add and cancel queues; in the loop's thread only.

        A cancel loses no hint: what a read in flight still brings from that queue is put back by kombu, which finds
        nobody to give it to (Transport._deliver).
        """
        if self.task_consumer is None or not self._subscription.is_attached:
            return
        wanted = self._subscription.wanted
        taken = {queue.name for queue in self.task_consumer.queues}
        for queue in taken - wanted:
            self.cancel_task_queue(queue)
        for queue in sorted(wanted - taken):
            # Looked up, it is what its senders declare: add_task_queue would make a classic queue of it on RabbitMQ.
            self.add_task_queue(self.app.amqp.queues[queue].name)
        self._subscription.follows(wanted)
