"""The consumer: Celery's worker in a loop, so that no fault of the broker ends this process and its models."""

import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial

import structlog
from celery import Celery
from celery.exceptions import Reject
from celery.worker import state

from shared.hints import TASK_NAME, queue_of
from worker.celery_parts import FollowingConsumer, JobThreads
from worker.subscription import Subscription

log = structlog.get_logger(__name__)

RESTART_PAUSE_S = 0.5
READ_S = 0.1
"""How long kombu's blocking read on Redis waits. A queue that is added begins with the next read, so this is what a
newly loaded model may wait for its first hint, and what the end of the loop waits for. An idle read costs 0.2 ms."""


class Consumer:
    """Calls `run(job_id)` for every hint of the models it follows, `concurrency` at a time, in threads."""

    def __init__(self, app: Celery, run: Callable[[str], None], *, concurrency: int, worker_id: str):
        self._app = app
        self._run = run
        self._concurrency = concurrency
        self._hostname = f"worker@{worker_id}"
        self._subscription = Subscription()
        self._stopping = threading.Event()
        self._controller: object | None = None
        self._thread = threading.Thread(target=self._loop, name="consumer", daemon=True)

    @property
    def is_consuming(self) -> bool:
        """Whether the broker is connected, and hints are taken if there is a model to take them for."""
        return self._subscription.is_attached

    def follow(self, models: Iterable[str]) -> None:
        """Take the hints of these models and of no others; returns at once, before and after `start`."""
        self._subscription.follow(queue_of(model) for model in models)

    def pause(self) -> bool:
        """Take no hints until `resume`; waits up to 2 s and says whether that is so now.

        Hints that were taken before still run: see RunningJobs.
        """
        return self._subscription.pause()

    def resume(self) -> None:
        """Take hints again, of the models that are followed now."""
        self._subscription.resume()

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
        """Wait until Celery has stopped: up to READ_S on Redis, where kombu lets its blocking read run out."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _register(self) -> None:
        @self._app.task(name=TASK_NAME, shared=False)  # type: ignore[untyped-decorator]  # celery ships no types
        def generate(job_id: str) -> None:
            if self._stopping.is_set():
                raise Reject("this worker is draining", requeue=True)
            self._run(job_id)

        for name in ("celery.worker.strategy", "celery.app.trace"):
            logging.getLogger(name).setLevel(logging.WARNING)  # two lines a job that say nothing of ours
        conf = self._app.conf
        if conf.broker_url.startswith("redis"):
            conf.broker_transport_options = {**conf.broker_transport_options, "polling_interval": READ_S}
        self._app.set_current()
        self._app.set_default()
        self._app.finalize()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self._consume()
            except Exception:
                log.exception("consumer_failed")
            self._subscription.detach()
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
            consumer_cls=partial(FollowingConsumer, subscription=self._subscription),
            concurrency=self._concurrency,
            exclude_queues=[self._app.conf.task_default_queue],  # without a queue Celery would take its default one
            without_gossip=True,  # they were what stalled consumers after Redis' reconnects (celery #8030)
            without_mingle=True,
            without_heartbeat=True,
        )
        controller.start()
