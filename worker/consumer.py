"""The consumer: Celery's worker in a loop, so that no fault of the broker ends this process and its models."""

import logging
import threading
from collections.abc import Callable

import structlog
from celery import Celery
from celery.exceptions import Reject
from celery.worker import state

from shared.catalogue import Catalogue
from shared.hints import TASK_NAME, queue_of
from worker.celery_parts import JobThreads, QuickConsumer

log = structlog.get_logger(__name__)

RESTART_PAUSE_S = 0.5


def consumed_queues(catalogue: Catalogue) -> list[str]:
    """The queues that this worker takes hints from: those of all chat models, since any worker can load any of them."""
    return [queue_of(entry.name) for entry in catalogue.of_kind("chat")]


class Consumer:
    """Calls `run(job_id)` for every hint, `concurrency` at a time, in threads."""

    def __init__(self, app: Celery, run: Callable[[str], None], *, queues: list[str], concurrency: int, worker_id: str):
        self._app = app
        self._run = run
        self._queues = queues
        self._concurrency = concurrency
        self._hostname = f"worker@{worker_id}"
        self._stopping = threading.Event()
        self._controller: object | None = None
        self._thread = threading.Thread(target=self._loop, name="consumer", daemon=True)
        self._is_consuming = threading.Event()

    @property
    def is_consuming(self) -> bool:
        """Whether the broker is connected and hints are taken."""
        return self._is_consuming.is_set()

    def start(self) -> None:
        self._register()
        self._thread.start()

    def stop(self) -> None:
        """Take no more hints; those that were taken and not begun go back to the broker."""
        self._stopping.set()
        state.should_stop = 0
        hub = getattr(self._controller, "hub", None)
        if hub is not None:
            hub.call_soon(lambda: None)  # it looks at should_stop when something wakes it

    def join(self, timeout_s: float) -> None:
        """Wait until Celery has stopped: up to a second on Redis, where kombu lets its blocking read run out."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _register(self) -> None:
        @self._app.task(name=TASK_NAME)  # type: ignore[untyped-decorator]  # celery ships no types
        def generate(job_id: str) -> None:
            if self._stopping.is_set():
                raise Reject("this worker is draining", requeue=True)
            self._run(job_id)

        for name in ("celery.worker.strategy", "celery.app.trace"):
            logging.getLogger(name).setLevel(logging.WARNING)  # two lines a job that say nothing of ours
        self._app.set_current()
        self._app.set_default()
        self._app.finalize()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self._consume()
            except Exception:
                log.exception("consumer_failed")
            self._is_consuming.clear()
            if not self._stopping.wait(RESTART_PAUSE_S):
                log.warning("consumer_restarts")

    def _consume(self) -> None:
        """One life of Celery's worker; returns when it has stopped, for whatever reason."""
        state.reset_state()  # it remembers the requests of its last life, module-wide
        state.should_stop = state.should_terminate = None
        if self._stopping.is_set():  # looked at after the line above, which may have undone what stop() did
            return
        # WorkController and not app.Worker: that one would install Celery's signal handlers and its logging.
        self._controller = controller = self._app.WorkController(
            hostname=self._hostname,
            pool=JobThreads,
            consumer_cls=QuickConsumer,
            concurrency=self._concurrency,
            queues=self._queues,
            without_gossip=True,  # they were what stalled consumers after Redis' reconnects (celery #8030)
            without_mingle=True,
            without_heartbeat=True,
            ready_callback=lambda _: self._is_consuming.set(),
        )
        controller.start()
