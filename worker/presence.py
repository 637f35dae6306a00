"""The worker's presence: what it says about itself in `worker:<id>`."""

import time

from shared.bodies.workers import WorkerBody
from shared.ledger import Ledger
from worker.model_cache import ModelCache
from worker.periodic import Periodic
from worker.running import RunningJobs

EVERY_S = 1.0
TTL_MS = 3500
"""Three times in a row may be missed."""


class Presence:
    """Says every second that the worker is alive, what it holds and how busy it is."""

    def __init__(
        self, ledger: Ledger, cache: ModelCache, jobs: RunningJobs, *, worker_id: str, engine: str, slots: int
    ):
        self._ledger = ledger
        self._cache = cache
        self._jobs = jobs
        self._worker_id = worker_id
        self._engine = engine
        self._slots = slots
        self._is_draining = False
        self._said_at = float("-inf")
        self._thread = Periodic("presence", EVERY_S, self.say)

    @property
    def is_heard(self) -> bool:
        """Whether Redis took the last word within its time to live."""
        return time.monotonic() - self._said_at < TTL_MS / 1000

    def start(self) -> None:
        self._thread.start()

    def drain(self) -> None:
        """Say from now on that the worker takes no more jobs."""
        self._is_draining = True

    def say(self) -> None:
        """Say it once. Raises redis.exceptions.RedisError."""
        self._ledger.publish_worker(self._body(), TTL_MS)
        self._said_at = time.monotonic()

    def withdraw(self) -> None:
        """Be gone at once, and say nothing any more. Raises redis.exceptions.RedisError."""
        self._thread.stop()
        self._ledger.publish_worker(self._body(), 1)

    def _body(self) -> WorkerBody:
        return WorkerBody(
            id=self._worker_id,
            engine=self._engine,
            held_models=self._cache.held_models(),
            slots=self._slots,
            busy_slots=len(self._jobs),
            free_bytes=self._cache.free_bytes(),
            is_draining=self._is_draining,
        )
