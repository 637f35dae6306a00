"""The gateway's and the session service's ledger: asynchronous calls."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import redis.asyncio

from shared.bodies.keys import Limits
from shared.bodies.workers import WorkerBody
from shared.errors import JobExpiredError
from shared.events import FinalEvent, TokensEvent
from shared.job import GenerateJob
from shared.ledger import calls, parsing
from shared.ledger.answers import Accepted, Idempotency, JobStatus, Waiting
from shared.ledger.keys import OUTBOX, WORKERS, job_key, log_key, queued_key, worker_key
from shared.ledger.scripts import SCRIPT_NAMES, source_of

Answer = TypeVar("Answer")

ATTEND_AT_ONCE = 500
"""So many jobs a script run hold Redis for about a millisecond."""


class AsyncLedger:
    """Every call is idempotent: it may be sent again after a redis.exceptions.RedisError, which any call can raise."""

    def __init__(self, client: redis.asyncio.Redis):
        self._client = client
        self._scripts = {name: client.register_script(source_of(name)) for name in SCRIPT_NAMES}

    async def accept(
        self, job: GenerateJob, limits: Limits, *, max_queued_jobs: int, idempotency: Idempotency | None = None
    ) -> Accepted:
        """Write the job to the ledger and reserve what it may use, or refuse and change nothing.

        The caller sends the hint, unless it is a replay. Raises RateLimitError (with `retry_after_s` and `headers`),
        QueueFullError (with `retry_after_s`), IdempotencyMismatchError.
        """
        call = calls.accept(job, limits, max_queued_jobs=max_queued_jobs, idempotency=idempotency)
        return await self._run(call)

    async def cancel(self, job_id: str, tenant_id: str) -> JobStatus:
        """Want the job's end: a queued one is final at once, a running one soon, a final one stays as it is.

        Raises JobNotFoundError, also for another tenant's job.
        """
        return await self._run(calls.cancel(job_id, tenant_id))

    async def status(self, job_id: str, tenant_id: str) -> JobStatus:
        """The job as it stands. Raises JobNotFoundError (another tenant's, too), JobExpiredError (its log is gone)."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hmget(job_key(job_id), list(parsing.STATUS_FIELDS))
        pipe.exists(log_key(job_id))
        fields, has_log = await pipe.execute()
        status = parsing.status(job_id, tenant_id, fields)
        if status.is_final and not has_log:
            raise JobExpiredError()
        return status

    async def read_log(
        self, job_id: str, after_seq: int = 0, *, max_events: int | None = None
    ) -> list[TokensEvent | FinalEvent]:
        """The job's events after the token `after_seq`, in order; the first one is cut to what is new."""
        entries = cast(list[Any], await self._client.xrange(log_key(job_id), min=f"{after_seq}-1", count=max_events))
        return parsing.log(entries, after_seq)

    async def attend(self, job_ids: Sequence[str]) -> None:
        """Say that these jobs are followed: an open one that nobody attends to for its `resume_grace_s` is cancelled.

        Call it every 2 s for every job that is followed, several followers of one job too; a grace counts as 5 s at
        least. Jobs that are final, unknown or have no grace are passed over. One round trip for 500 jobs.
        """
        for first in range(0, len(job_ids), ATTEND_AT_ONCE):
            await self._run(calls.attend(job_ids[first : first + ATTEND_AT_ONCE]))

    async def waiting(self, job_id: str, tenant_id: str) -> Waiting:
        """How far the job is from its first token. Raises JobNotFoundError, also for another tenant's job."""
        return await self._run(calls.waiting(job_id, tenant_id))

    async def settle(self, job_id: str) -> None:
        """The outbox consumer's last word on a final job: marks it stored, tells the channel, ends the log in 120 s."""
        await self._run(calls.settle(job_id))

    async def queue_depth(self, model: str) -> int:
        """How many jobs wait for this model."""
        return int(await self._client.zcard(queued_key(model)))

    async def oldest_age_s(self, model: str) -> float:
        """How long the oldest queued job of this model has waited since it was accepted; 0 when none waits."""
        pipe = self._client.pipeline(transaction=True)
        pipe.zrange(queued_key(model), 0, 0, withscores=True)
        pipe.time()
        oldest, (seconds, micros) = await pipe.execute()
        return max(0.0, seconds + micros / 1e6 - oldest[0][1] / 1000) if oldest else 0.0

    async def outbox_backlog(self) -> tuple[int, float]:
        """How many final jobs nobody has stored yet, and for how many seconds the oldest of them has been final."""
        pipe = self._client.pipeline(transaction=True)
        pipe.xlen(OUTBOX)
        pipe.xrange(OUTBOX, count=1)
        pipe.time()
        depth, first, (seconds, micros) = await pipe.execute()
        ended_ms = int(parsing.text(first[0][0]).partition("-")[0]) if first else 0
        return int(depth), max(0.0, seconds + micros / 1e6 - ended_ms / 1000) if first else 0.0

    async def workers(self) -> list[WorkerBody]:
        """The workers that are alive, in the order of their ids."""
        ids = parsing.words(await self._client.zrange(WORKERS, 0, -1))
        if not ids:
            return []
        return parsing.workers(await self._client.mget([worker_key(worker_id) for worker_id in sorted(ids)]))

    async def _run(self, call: calls.Call[Answer]) -> Answer:
        return call.parse(await self._scripts[call.script](args=call.args))
