"""The broker as the worker's housekeeping sees it: hints to send, and whether a queue is empty."""

import threading

import structlog
from celery import Celery
from kombu.connection import Connection
from kombu.exceptions import ChannelError

from shared.hints import queue_of, send_hint
from shared.ledger import Hint

log = structlog.get_logger(__name__)


class Broker:
    """Sends hints and looks at queues; thread-safe. A broker that is away costs a log line, the reaper tries again."""

    def __init__(self, app: Celery):
        self._app = app
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def send(self, hint: Hint) -> bool:
        """Send one hint; whether the broker took it."""
        try:
            send_hint(self._app, hint.job_id, hint.model, hint.priority, is_begun=hint.is_begun)
        except Exception as error:  # kombu's OperationalError, or what the transport raises in its place
            log.warning("hint_not_sent", job_id=hint.job_id, error=repr(error))
            return False
        return True

    def is_empty(self, model: str) -> bool:
        """Whether no hint of any priority waits for `model`. Raises what the transport raises without a broker."""
        with self._lock:
            try:
                return self._depth(queue_of(model)) == 0
            except Exception:
                self._disconnect()
                raise

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    def _depth(self, queue: str) -> int:
        if self._connection is None:
            self._connection = self._app.connection_for_write()
        channel = self._connection.default_channel
        # On Redis to declare is to do nothing, and kombu 5.7 finds no queue passively when there is a key prefix.
        is_passive = self._connection.transport.driver_type != "redis"
        try:
            return int(channel.queue_declare(queue=queue, passive=is_passive).message_count)
        except ChannelError:  # AMQP knows no such queue before its first hint, and has closed the channel now
            self._disconnect()
            return 0

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.release()  # type: ignore[no-untyped-call]
            except Exception as error:
                log.debug("broker_connection_not_closed", error=repr(error))
