"""The subscription: which queues hints are taken from, kept by any thread and followed by Celery's loop."""

import threading
from collections.abc import Callable, Iterable

APPLY_S = 2.0
"""So long may Celery's loop take to follow; it is woken at once, but it may be reconnecting."""


class Subscription:
    """The wanted queues, and whether the loop has followed. Thread-safe.

    Celery's consumer registers itself with `attach` while it is connected; it calls `wanted` in its own thread and
    says `follows` when it has added and cancelled what it must.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queues: frozenset[str] = frozenset()
        self._is_paused = False
        self._followed: frozenset[str] | None = None
        self._wake: Callable[[], None] | None = None

    @property
    def is_attached(self) -> bool:
        """Whether a consumer is connected to its broker."""
        return self._wake is not None

    @property
    def wanted(self) -> frozenset[str]:
        return frozenset() if self._is_paused else self._queues

    def follow(self, queues: Iterable[str]) -> None:
        """Take hints from these queues and no others; returns at once."""
        with self._changed:
            before, self._queues = self._queues, frozenset(queues)
            wake = self._wake if before != self._queues else None
        if wake is not None:
            wake()

    def pause(self) -> bool:
        """Take no hints until `resume`; whether the loop has followed when this returns, or has no broker anyway."""
        return self._set_paused(True)

    def resume(self) -> None:
        """Take up all queues again."""
        self._set_paused(False)

    def attach(self, wake: Callable[[], None]) -> None:
        """A consumer is connected and has no queue yet; `wake` makes it look at `wanted` soon, from any thread."""
        with self._changed:
            self._followed = None
            self._wake = wake

    def detach(self) -> None:
        """The consumer has lost its broker, or has ended."""
        with self._changed:
            self._wake = None
            self._followed = None
            self._changed.notify_all()

    def follows(self, queues: frozenset[str]) -> None:
        """The consumer takes hints from exactly these queues now."""
        with self._changed:
            self._followed = queues
            self._changed.notify_all()

    def _set_paused(self, is_paused: bool) -> bool:
        with self._changed:
            self._is_paused = is_paused
            wake = self._wake
        if wake is not None:
            wake()
        with self._changed:
            return self._changed.wait_for(lambda: self._wake is None or self._followed == self.wanted, APPLY_S)
