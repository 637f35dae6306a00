"""Sends hints to the workers without holding up anybody."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import structlog
from kombu.exceptions import OperationalError
from opentelemetry.trace import Span, SpanKind

from shared.hints import celery_app, open_way, queue_of, send_hint
from shared.job import Priority
from shared.telemetry import traces

MAX_WAITING = 1000
"""About half a second of a healthy broker's time. A hanging one holds up each hint for seconds."""

log = structlog.get_logger()


class Hints:
    """Fire and forget: a hint that is lost or dropped here is sent again by the reaper within about a second.

    One thread, because publishing blocks and more threads make the event loop's stalls longer without sending more.
    """

    def __init__(self, broker_url: str):
        self._app = celery_app(broker_url)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hints")
        self._rooms = threading.BoundedSemaphore(MAX_WAITING)

    def open(self) -> None:
        """Begin to connect, and return at once."""
        self._executor.submit(open_way, self._app).add_done_callback(_is_open)

    def send(self, job_id: str, model: str, priority: Priority) -> None:
        """Queue one hint and return at once."""
        if not self._rooms.acquire(blocking=False):
            log.warning("hint_dropped", waiting=MAX_WAITING)
            return
        hint = traces.begin_span("hint", SpanKind.PRODUCER, {"messaging.destination.name": queue_of(model)})
        sending = self._executor.submit(send_hint, self._app, job_id, model, priority)
        sending.add_done_callback(partial(self._is_done, hint))

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._app.close()

    def _is_done(self, hint: Span, sending: Future[None]) -> None:
        self._rooms.release()
        error = None if sending.cancelled() else sending.exception()
        if error is not None:
            traces.fail(hint, type(error).__qualname__)
        hint.end()
        if error is None:
            return
        if isinstance(error, OperationalError):
            log.warning("hint_lost", error=str(error))
        else:
            log.error("hint_failed", exc_info=error)


def _is_open(opening: Future[None]) -> None:
    if not opening.cancelled() and (error := opening.exception()) is not None:
        log.warning("broker_not_reached", error=str(error))
