"""The outbox consumer: reads which jobs became final and has them stored, each exactly once.

The stream gives every entry at least once: it is acknowledged only after its transaction is committed, and what a dead
consumer has left is taken over by another. Storing it a second time changes nothing (outcomes.py). Together: once.
"""

import asyncio
import os
import socket
import time
from collections.abc import Mapping
from typing import cast

import redis.asyncio
import structlog
from opentelemetry.trace import SpanKind
from redis.exceptions import RedisError, ResponseError

from session_service.cancellation import is_cancelled
from session_service.database import Database
from session_service.job_meter import JobMeter
from session_service.outcomes import Outcome, outcome_of, store_outcomes
from session_service.settings import SessionSettings
from shared.errors import UnavailableError
from shared.ledger import OUTBOX, OUTBOX_GROUP, AsyncLedger, OutboxEntry
from shared.telemetry import traces

_log = structlog.get_logger(__name__)

BLOCK_MS = 1000
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

Entries = list[tuple[bytes, Mapping[bytes, bytes]]]
"""Stream ids with their fields."""


class OutboxConsumer:
    """One consumer of the group; any number of them may run, in any number of processes."""

    def __init__(self, client: redis.asyncio.Redis, ledger: AsyncLedger, database: Database, settings: SessionSettings):
        self._client = client
        self._ledger = ledger
        self._database = database
        self._batch = settings.outbox_batch
        self._idle_s = settings.outbox_idle_s
        self._meter = JobMeter(settings.metric_tenants)
        self._name = f"{socket.gethostname()}-{os.getpid()}-{id(self):x}"
        self._has_leftovers = False
        self._next_takeover = 0.0
        self.problem: str | None = None
        """Why nothing can be stored now, as a sentence; None while all is well."""

    async def run(self) -> None:
        """Store what comes, until cancelled; outlives any absence of Redis and Postgres."""
        pause_s = FIRST_PAUSE_S
        while not is_cancelled():
            try:
                await self._ensure_group()
                while not is_cancelled():
                    await self._store(await self._read())
                    self.problem, pause_s = None, FIRST_PAUSE_S
            except (RedisError, OSError) as error:
                self._note("The outbox in Redis cannot be read.", error)
            except UnavailableError as error:
                self._note("Postgres cannot be reached; what is finished waits in the outbox.", error)
            except Exception as error:
                self._note("The outbox cannot be stored; the log says why.", error)
            self._has_leftovers = True
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _read(self) -> Entries:
        """The next entries: first our own that an error has left, then those of dead consumers, then new ones."""
        if self._has_leftovers:
            if entries := await self._read_group("0"):
                return entries
            self._has_leftovers = False
        if time.monotonic() >= self._next_takeover:
            if entries := await self._take_over():
                return entries
            self._next_takeover = time.monotonic() + self._idle_s / 5
        return await self._read_group(">")

    async def _store(self, entries: Entries) -> None:
        if not entries:
            return
        began_ns = time.time_ns()
        readable = [entry for fields in (fields for _, fields in entries) if (entry := _parse(fields)) is not None]
        outcomes = await asyncio.gather(*(outcome_of(self._ledger, entry) for entry in readable))
        await store_outcomes(self._database, outcomes)
        await self._acknowledge([stream_id for stream_id, _ in entries], outcomes)
        stored_ns = time.time_ns()
        for outcome in outcomes:
            self._meter.count(outcome.entry)
            _trace(outcome, began_ns, stored_ns)

    async def _acknowledge(self, stream_ids: list[bytes], outcomes: list[Outcome]) -> None:
        """What is committed may be told and forgotten."""
        await asyncio.gather(*(self._ledger.settle(outcome.entry.job_id) for outcome in outcomes))
        pipe = self._client.pipeline(transaction=True)
        pipe.xack(OUTBOX, OUTBOX_GROUP, *stream_ids)
        pipe.xdel(OUTBOX, *stream_ids)
        await pipe.execute()

    async def _read_group(self, after: str) -> Entries:
        """New entries for ">", waiting a second for one; for "0" those that we have read and not acknowledged."""
        answer = await self._client.xreadgroup(
            OUTBOX_GROUP, self._name, {OUTBOX: after}, count=self._batch, block=BLOCK_MS if after == ">" else None
        )
        streams = answer.values() if isinstance(answer, dict) else (entries for _, entries in answer or ())
        return [pair for entries in streams for pair in cast(Entries, entries)]

    async def _take_over(self) -> Entries:
        answer = await self._client.xautoclaim(
            OUTBOX, OUTBOX_GROUP, self._name, min_idle_time=round(self._idle_s * 1000), count=self._batch
        )
        return cast(Entries, answer[1])

    async def _ensure_group(self) -> None:
        """Make the group if Redis has lost it, or never had it."""
        try:
            await self._client.xgroup_create(OUTBOX, OUTBOX_GROUP, id="0", mkstream=True)
        except ResponseError:
            groups = await self._client.xinfo_groups(OUTBOX)
            if OUTBOX_GROUP.encode() not in [group["name"] for group in groups]:
                raise

    def _note(self, problem: str, error: Exception) -> None:
        if self.problem != problem:
            _log.warning("outbox_waits", reason=problem, exc_info=error)
        self.problem = problem


def _trace(outcome: Outcome, began_ns: int, stored_ns: int) -> None:
    """The last span of a job's trace: it is in Postgres, and its gateway has been told."""
    entry = outcome.entry
    session = {traces.SESSION_ID: entry.session_id} if entry.session_id else {}
    attributes = {traces.JOB_ID: entry.job_id, "drover.turn.state": outcome.state, **session}
    traces.note_span("store turn", entry.traceparent, began_ns, stored_ns, SpanKind.CONSUMER, attributes)


def _parse(fields: Mapping[bytes, bytes]) -> OutboxEntry | None:
    """The entry; None, and a line in the log, for one that nobody can read or that has been deleted meanwhile."""
    try:
        return OutboxEntry.from_fields(fields)
    except (KeyError, ValueError, AttributeError) as error:
        _log.error("outbox_entry_unreadable", reason=type(error).__name__)
        return None
