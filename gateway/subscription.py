"""One stream's end of the channel: events that have arrived and were not yet taken."""

import asyncio
from collections import deque

from shared.events import Event


class Subscription:
    """Filled by the channel's reader, emptied by one follower. It never makes the reader wait.

    `is_dirty` says that events may have been missed (just subscribed, reconnected, overflow): the follower must read
    the log from its next seq.
    """

    def __init__(self, job_id: str, max_events: int):
        self.job_id = job_id
        self.is_dirty = False
        self._events: deque[Event] = deque()
        self._max_events = max_events
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: Event) -> None:
        """An event came. With a full buffer everything in it is dropped: the log has it."""
        if len(self._events) >= self._max_events:
            self._events.clear()
            self.is_dirty = True
        else:
            self._events.append(event)
        self._wake()

    def mark_dirty(self) -> None:
        self.is_dirty = True
        self._wake()

    def take(self) -> list[Event]:
        """All events that have arrived since the last time."""
        taken = list(self._events)
        self._events.clear()
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

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
