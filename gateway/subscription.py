"""One stream's end of the channel: events that have arrived and were not yet taken."""

import asyncio
from collections import deque

import structlog

from shared.errors import DroverError
from shared.events import Event, decode

log = structlog.get_logger()


class Subscription:
    """Filled by the channel's reader, emptied by one follower. It never makes the reader wait.

    Events are kept as the bytes that came and decoded when they are taken: a client that reads nothing costs its
    buffer and no more. `is_dirty` says that events may have been missed (just subscribed, reconnected, overflow): the
    follower must read the log from its next seq.
    """

    __slots__ = ("_bytes", "_events", "_max_bytes", "_max_events", "_waiter", "is_dirty", "job_id")

    def __init__(self, job_id: str, max_events: int, max_bytes: int):
        self.job_id = job_id
        self.is_dirty = False
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._waiter: asyncio.Future[None] | None = None

    def put(self, data: bytes) -> None:
        """An event came. With a full buffer everything in it is dropped: the log has it."""
        is_full = len(self._events) >= self._max_events or self._bytes + len(data) > self._max_bytes
        if is_full and self._events:
            self._drop()
            self.is_dirty = True
        else:
            self._events.append(data)
            self._bytes += len(data)
        self._wake()

    def mark_dirty(self) -> None:
        self.is_dirty = True
        self._wake()

    def take(self) -> list[Event]:
        """All events that have arrived since the last time; what is not readable, or another job's, is left out."""
        taken: list[Event] = []
        for data in self._events:
            try:
                event = decode(data)
            except DroverError:
                log.error("event_unreadable", job_id=self.job_id)
                continue
            if event.job_id == self.job_id:  # a crossed reply must never reach another caller
                taken.append(event)
        self._drop()
        return taken

    async def wait(self, timeout_s: float) -> bool:
        """Until there is something to take or the log must be read; False when neither came within `timeout_s`."""
        if not (self._events or self.is_dirty):
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(timeout_s, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        return bool(self._events) or self.is_dirty

    def _drop(self) -> None:
        self._events.clear()
        self._bytes = 0

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
