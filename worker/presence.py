"""The worker's presence: what it says about itself in `worker:<id>`."""

import threading
import time
from collections import Counter
from collections.abc import Callable

from shared.bodies.workers import WorkerBody
from shared.ledger import Ledger
from worker.model_cache import ModelCache
from worker.periodic import Periodic
from worker.running import RunningJobs

EVERY_S = 0.5
LOADING_EVERY_S = 0.25
TTL_MS = 2000
"""Three times in a row may be missed. The models of a dead worker count as held until then."""


class Presence:
    """Says twice a second that the worker is alive, what it holds and how busy it is; more often while it loads."""

    def __init__(
        self,
        ledger: Ledger,
        cache: ModelCache,
        jobs: RunningJobs,
        *,
        worker_id: str,
        engine: str,
        slots: int,
        loading: Callable[[], dict[str, float]],
    ):
        """`loading`: what is being loaded, with the fraction that is done."""
        self._ledger = ledger
        self._cache = cache
        self._jobs = jobs
        self._worker_id = worker_id
        self._engine = engine
        self._slots = slots
        self._loading = loading
        self._is_draining = False
        self._said_at = float("-inf")
        self._said = threading.Lock()
        self._hurried = threading.Event()
        self._thread = Periodic("presence", 0.0, self._turn)

    @property
    def is_heard(self) -> bool:
        """Whether Redis took the last word within its time to live."""
        return time.monotonic() - self._said_at < TTL_MS / 1000

    def start(self) -> None:
        self._hurried.set()
        self._thread.start()

    def hurry(self) -> None:
        """Have it said now, by the presence's own thread; may be called from anywhere."""
        self._hurried.set()

    def drain(self) -> None:
        """Say from now on that the worker takes no more jobs."""
        self._is_draining = True
        self.hurry()

    def say(self) -> None:
        """Say it once. Raises redis.exceptions.RedisError."""
        with self._said:  # or an older word might come after a newer one
            self._ledger.publish_worker(self._body(), TTL_MS)
            self._said_at = time.monotonic()

    def withdraw(self) -> None:
        """Be gone at once, and say nothing any more. Raises redis.exceptions.RedisError."""
        self.hurry()
        self._thread.stop()
        with self._said:
            self._ledger.publish_worker(self._body(), 1)

    def _turn(self) -> None:
        self._hurried.wait(LOADING_EVERY_S if self._loading() else EVERY_S)
        self._hurried.clear()
        self.say()

    def _body(self) -> WorkerBody:
        jobs = self._jobs.all()
        return WorkerBody(
            id=self._worker_id,
            engine=self._engine,
            held_models=self._cache.held_models(),
            loading=self._loading(),
            slots=self._slots,
            busy_slots=len(jobs),
            free_bytes=self._cache.free_bytes(),
            budget_bytes=self._cache.budget_bytes,
            running=Counter(job.job.model for job in jobs),
            is_draining=self._is_draining,
        )
