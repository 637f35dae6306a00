"""Which jobs have a reader on this gateway, and what becomes of a job that loses one.

- While somebody reads a job, on any gateway, it goes on: every gateway attends to the jobs that are read on it.
- When the caller that started a job of policy `cancel` leaves and nobody else reads it, here or on another gateway,
  it is cancelled at once.
- In every other case a reader that leaves is just not counted any more, and the reaper cancels the job when nobody has
  read it for its grace. So a job with an Idempotency-Key waits for its caller, a stream that was resumed may be resumed
  again, and a gateway that dies gives its callers the same time to go elsewhere.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import structlog

from gateway.background import Background
from gateway.channel import Channel
from gateway.jobs import Jobs
from shared.errors import UnavailableError

INTERVAL_S = 2.0
RETRY_S = 0.5
"""After Redis was away the reaper waits three seconds for gateways to attend again."""

log = structlog.get_logger()


class Attendance:
    """Counts readers. One task tells the ledger about all of them in one call."""

    def __init__(self, jobs: Jobs, channel: Channel, background: Background):
        self._jobs = jobs
        self._channel = channel
        self._background = background
        self._readers: dict[str, int] = {}
        self._returned: set[str] = set()
        self._has_returned = asyncio.Event()

    @contextmanager
    def reading(self, job_id: str, *, is_return: bool) -> Iterator[None]:
        """Somebody reads the job. `is_return`: it was accepted long ago and its grace may be about to end."""
        self._readers[job_id] = self._readers.get(job_id, 0) + 1
        if is_return:
            self._returned.add(job_id)
            self._has_returned.set()
        try:
            yield
        finally:
            self._readers[job_id] -= 1
            if not self._readers[job_id]:
                del self._readers[job_id]

    def starter_left(self, job_id: str, tenant_id: str) -> None:
        """The caller that started a job of policy `cancel` has left. Call it before its `reading` ends."""
        readers = self._readers.get(job_id, 0)
        if readers > 1:
            return
        held = ExitStack()
        if readers:  # as long as this gateway is subscribed it knows which one of the subscribers it is
            held.enter_context(self._channel.subscription(job_id))
        self._background.spawn(self._cancel_unless_read(job_id, tenant_id, held, is_followed=readers > 0), "cancel")

    async def run(self) -> None:
        """Attend until cancelled: to those that return at once, to all of them every INTERVAL_S."""
        clock = asyncio.get_running_loop().time
        all_due_at = clock() + INTERVAL_S
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(all_due_at):  # whoever returns must not put off the others' turn
                    await self._has_returned.wait()
            are_all_due = clock() >= all_due_at
            due = set(self._readers) if are_all_due else self._returned & self._readers.keys()
            self._has_returned.clear()
            self._returned.clear()
            if not await self._attend(due):
                all_due_at = clock() + RETRY_S
            elif are_all_due:
                all_due_at = clock() + INTERVAL_S

    async def _attend(self, job_ids: set[str]) -> bool:
        if job_ids:
            try:
                await self._jobs.attend(list(job_ids))
            except UnavailableError:
                return False
        return True

    async def _cancel_unless_read(self, job_id: str, tenant_id: str, held: ExitStack, *, is_followed: bool) -> None:
        with held:
            if is_followed and await self._is_read_elsewhere(job_id):
                return
        await self._jobs.cancel(job_id, tenant_id)

    async def _is_read_elsewhere(self, job_id: str) -> bool:
        subscribers = await self._jobs.subscribers(job_id)
        return subscribers > (1 if self._channel.is_up else 0)
