"""The demand for models as placement sees it: what waits, who could serve it, and one worker's turn to do so.

Keys: `place:<model>` is the short lock of the worker that loads the model, `place:refused:<model>` a sorted set of the
workers that could not load it lately, by the time (ms) at which they may try again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis
from redis.exceptions import LockError
from redis.lock import Lock

from shared.bodies.workers import WorkerBody
from shared.ledger import parsing
from shared.ledger.keys import queued_key

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Waiting:
    """The queue of one model; `refused_by`: workers that could not load it lately."""

    model: str
    depth: int
    oldest_age_s: float
    refused_by: frozenset[str]


@dataclass(frozen=True, slots=True)
class Look:
    """The models that somebody waits for; the living workers, none while nobody waits."""

    waiting: list[Waiting]
    workers: list[WorkerBody]


class Turn:
    """A worker's right to load one model now. It ends by itself after the time it was taken for."""

    def __init__(self, lock: Lock):
        self._lock = lock

    def renew(self) -> bool:
        """Have the whole time again; whether the turn was still this worker's. Raises redis.exceptions.RedisError."""
        try:
            return bool(self._lock.reacquire())
        except LockError:
            return False

    def end(self) -> None:
        """Let others have it. Raises redis.exceptions.RedisError."""
        try:
            self._lock.release()
        except LockError:
            return


class Demand:
    """Typed reads and the locks of placement; safe to share between threads. All raise redis.exceptions.RedisError."""

    def __init__(self, client: redis.Redis):
        self._client = client
        self._look = client.register_script((_FOLDER / "demand.lua").read_text(encoding="utf-8"))
        self._refuse = client.register_script((_FOLDER / "refuse.lua").read_text(encoding="utf-8"))

    def look(self, models: Iterable[str]) -> Look:
        """What waits for these models; one round trip, a few microseconds of Redis while nothing does."""
        args = [part for model in models for part in (model, queued_key(model))]
        waiting, bodies = cast(tuple[list[Any], list[Any]], self._look(args=args))
        return Look([_waiting(row) for row in waiting], parsing.workers(bodies))

    def take_turn(self, model: str, *, for_s: float) -> Turn | None:
        """The right to load the model, None while another worker has it."""
        lock = self._client.lock(f"place:{model}", timeout=for_s, thread_local=False)
        return Turn(lock) if lock.acquire(blocking=False) else None

    def refuse(self, model: str, worker_id: str, *, for_s: float) -> None:
        """Say that this worker cannot load the model for so long."""
        self._refuse(args=[model, worker_id, max(1, round(for_s * 1000))])

    def accept(self, model: str, worker_id: str) -> None:
        """Take `refuse` back."""
        self._client.zrem(f"place:refused:{model}", worker_id)


def _waiting(row: list[Any]) -> Waiting:
    model, depth, age_ms, refused_by = row
    return Waiting(parsing.word(model), int(depth), int(age_ms) / 1000, frozenset(parsing.words(refused_by)))
