"""Sends hints to the workers without holding up anybody."""

from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from kombu.exceptions import OperationalError

from shared.hints import celery_app, send_hint

log = structlog.get_logger()


class Hints:
    """Fire and forget: a hint that is lost here is sent again by the reaper within about a second.

    One thread, because publishing blocks and more threads make the event loop's stalls longer without sending more.
    """

    def __init__(self, broker_url: str):
        self._app = celery_app(broker_url)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hints")

    def send(self, job_id: str, model: str) -> None:
        """Queue one hint and return at once."""
        self._executor.submit(send_hint, self._app, job_id, model).add_done_callback(_log_failure)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._app.close()


def _log_failure(sending: Future[None]) -> None:
    if sending.cancelled() or (error := sending.exception()) is None:
        return
    if isinstance(error, OperationalError):
        log.warning("hint_lost", error=str(error))
    else:
        log.error("hint_failed", exc_info=error)
