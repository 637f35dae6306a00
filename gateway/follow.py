"""Follows one job: its events in order, each token once, from any seq on."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.channel import Channel
from gateway.jobs import Jobs
from gateway.subscription import Subscription
from shared.errors import DeadlineExceededError, UnavailableError
from shared.events import Event, FinalEvent, StoredEvent, TokensEvent
from shared.telemetry.instruments import GAP_REPAIRED

SILENCES_PER_STATUS_CHECK = 5
LONG_SILENCE = 3
"""After so many silences they are so many times as long: streams that wait cost two calls each time."""
LOG_PAGE_EVENTS = 32
"""Read at once: a slow reader of a long answer must not have all of it in memory."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The job's last word. `is_persisted` tells of the session's message, None when the job has no session."""

    final: FinalEvent
    is_persisted: bool | None


@dataclass(frozen=True, slots=True)
class Followed:
    """Which job, for whom, and how far the caller has already got. `give_up_at` is the event loop's time."""

    job_id: str
    tenant_id: str
    after_seq: int
    give_up_at: float
    has_session: bool


Batch = list[TokensEvent] | Ended


class Follower:
    """Live events from the channel, repaired from the token log: pub/sub loses messages without a word."""

    def __init__(self, channel: Channel, jobs: Jobs, *, silence_s: float, stored_wait_s: float):
        self._channel = channel
        self._jobs = jobs
        self._silence_s = silence_s
        self._stored_wait_s = stored_wait_s

    async def batches(self, followed: Followed) -> AsyncGenerator[Batch, None]:
        """What is ready, in seq order; an empty list after a silence; at last one Ended.

        Raises DeadlineExceededError at `give_up_at`, JobNotFoundError if the job has vanished from the ledger.
        """
        with self._channel.subscription(followed.job_id) as subscription:
            order = _Order(followed.after_seq)
            silences = 0
            while order.final is None:
                if await subscription.wait(self._patience_s(followed, silences)):
                    silences = 0
                else:
                    silences += 1
                    subscription.is_dirty = True  # a lost last message shows no gap
                    if silences % SILENCES_PER_STATUS_CHECK == 0:
                        await self._check(followed, order)
                yield await self._in_order(subscription, order)
            yield Ended(order.final, await self._is_persisted(followed, subscription, order))

    async def _in_order(self, subscription: Subscription, order: "_Order") -> list[TokensEvent]:
        arrived = subscription.take()
        fresh = [] if subscription.is_dirty else order.accept(arrived)
        if not (subscription.is_dirty or order.has_gap):
            return fresh
        # What has arrived by now is in the log too, except the word that the message is stored.
        order.accept([event for event in arrived if isinstance(event, StoredEvent)])
        subscription.is_dirty = False  # before the reading: what is missed meanwhile makes it dirty again
        try:
            logged = await self._jobs.read_log(subscription.job_id, order.next_seq - 1, max_events=LOG_PAGE_EVENTS)
        except UnavailableError:
            return fresh  # the stream stays open while Redis is away; after the next silence it comes here again
        if len(logged) == LOG_PAGE_EVENTS:
            subscription.is_dirty = True  # there is more to read
        repaired = order.accept(logged)
        if repaired and order.has_read_log:
            GAP_REPAIRED.add(1)
        order.has_read_log = True
        return fresh + repaired

    async def _check(self, followed: Followed, order: "_Order") -> None:
        with suppress(UnavailableError):
            status = await self._jobs.status(followed.job_id, followed.tenant_id)
            if status.is_final:  # a caller who is ahead of a log that Redis has lost the end of still gets the end
                order.next_seq = min(order.next_seq, status.seq + 1)

    async def _is_persisted(self, followed: Followed, subscription: Subscription, order: "_Order") -> bool | None:
        if not followed.has_session:
            return None
        wait_until = asyncio.get_running_loop().time() + self._stored_wait_s
        while not (order.is_stored or await self._is_stored(followed)):
            left_s = wait_until - asyncio.get_running_loop().time()
            if left_s <= 0:
                return False
            await subscription.wait(min(left_s, self._silence_s))
            subscription.is_dirty = False
            order.accept(subscription.take())
        return True

    async def _is_stored(self, followed: Followed) -> bool:
        with suppress(UnavailableError):
            return (await self._jobs.status(followed.job_id, followed.tenant_id)).is_stored
        return False

    def _patience_s(self, followed: Followed, silences: int) -> float:
        left_s = followed.give_up_at - asyncio.get_running_loop().time()
        if left_s <= 0:
            raise DeadlineExceededError()
        silence_s = self._silence_s if silences < LONG_SILENCE else LONG_SILENCE * self._silence_s
        return min(silence_s, left_s)


class _Order:
    """How far a stream has got: drops what it has seen, notices what is missing."""

    def __init__(self, after_seq: int):
        self.next_seq = after_seq + 1
        self.has_gap = False
        self.final: FinalEvent | None = None
        self.is_stored = False
        self.has_read_log = False

    def accept(self, events: Sequence[Event]) -> list[TokensEvent]:
        """The new tokens among `events`, up to the first gap."""
        fresh = []
        self.has_gap = False
        for event in events:
            if isinstance(event, StoredEvent):
                self.is_stored = True
            elif self.has_gap:
                continue
            elif isinstance(event, FinalEvent):
                self._end(event)
            elif event.first_seq > self.next_seq:
                self.has_gap = True
            elif event.last_seq >= self.next_seq:
                fresh.append(event.after(self.next_seq - 1))
                self.next_seq = event.last_seq + 1
        return fresh

    def _end(self, event: FinalEvent) -> None:
        if event.last_seq >= self.next_seq:
            self.has_gap = True
        else:
            self.final = event
