"""The gateway's way to the job ledger: short time limits, and one error for whatever keeps Redis away."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError

from shared.bodies.keys import Limits
from shared.bodies.workers import WorkerBody
from shared.errors import UnavailableError
from shared.events import FinalEvent, TokensEvent
from shared.job import GenerateJob
from shared.ledger import Accepted, AsyncLedger, Idempotency, JobStatus, Waiting, channel_of
from shared.settings import ConfigurationError

MAX_CONNECTIONS = 64
"""Two thousand streams may look into the log in the same second; they take turns on these."""

RETRY_AFTER_S = 1.0

Answer = TypeVar("Answer")


class Jobs:
    """The ledger's calls. Besides the ledger's own errors each raises UnavailableError when Redis is away.

    To make one raises ConfigurationError for a `redis_url` that is none.
    """

    def __init__(self, redis_url: str, *, timeout_s: float, max_queued_jobs: int):
        self._timeout_s = timeout_s
        self._max_queued_jobs = max_queued_jobs
        try:
            pool = BlockingConnectionPool.from_url(
                redis_url,
                max_connections=MAX_CONNECTIONS,
                timeout=timeout_s,
                socket_connect_timeout=timeout_s / 2,
                socket_timeout=timeout_s / 2,
                # One retry, for the kept connection closed by a restart of Redis. redis-py's ten would last longer
                # than any caller waits; every call is idempotent, so the caller may simply come again.
                retry=Retry(ConstantBackoff(0.02), 1),
            )
        except ValueError as error:
            raise ConfigurationError("REDIS_URL must look like redis://host:6379/0.") from error
        self._client: Redis = Redis.from_pool(pool)
        self._ledger = AsyncLedger(self._client)

    async def close(self) -> None:
        await self._client.aclose()

    async def accept(self, job: GenerateJob, limits: Limits, idempotency: Idempotency | None) -> Accepted:
        """Raises RateLimitError, QueueFullError, IdempotencyMismatchError."""
        return await self._in_time(
            self._ledger.accept(job, limits, max_queued_jobs=self._max_queued_jobs, idempotency=idempotency)
        )

    async def cancel(self, job_id: str, tenant_id: str) -> JobStatus:
        """Raises JobNotFoundError."""
        return await self._in_time(self._ledger.cancel(job_id, tenant_id))

    async def status(self, job_id: str, tenant_id: str) -> JobStatus:
        """Raises JobNotFoundError, JobExpiredError."""
        return await self._in_time(self._ledger.status(job_id, tenant_id))

    async def read_log(self, job_id: str, after_seq: int, *, max_events: int) -> list[TokensEvent | FinalEvent]:
        return await self._in_time(self._ledger.read_log(job_id, after_seq, max_events=max_events))

    async def attend(self, job_ids: Sequence[str]) -> None:
        """Say that somebody reads these jobs."""
        await self._in_time(self._ledger.attend(job_ids))

    async def waiting(self, job_id: str, tenant_id: str) -> Waiting:
        """How long it may still be until the job's tokens come. Raises JobNotFoundError, JobExpiredError."""
        return await self._in_time(self._ledger.waiting(job_id, tenant_id))

    async def subscribers(self, job_id: str) -> int:
        """How many gateways follow the job, this one included."""
        counts = await self._in_time(self._client.pubsub_numsub(channel_of(job_id)))
        return int(counts[0][1])

    async def workers(self) -> list[WorkerBody]:
        return await self._in_time(self._ledger.workers())

    async def queue(self, model: str) -> tuple[int, float]:
        """How many jobs of a model wait, and for how many seconds the oldest has."""
        return await self._in_time(self._ledger.queue_depth(model)), await self._in_time(
            self._ledger.oldest_age_s(model)
        )

    async def outbox_backlog(self) -> tuple[int, float]:
        """How many ended jobs are not stored yet, and for how many seconds the oldest has not been."""
        return await self._in_time(self._ledger.outbox_backlog())

    async def redis_memory(self) -> tuple[int, float]:
        """The bytes that Redis uses, and which part of its limit they are; without a limit, of the host's memory."""
        memory = await self._in_time(self._client.info("memory"))
        used, limit = int(memory["used_memory"]), int(memory["maxmemory"] or memory["total_system_memory"])
        return used, used / limit

    async def check(self) -> None:
        """Raises UnavailableError when Redis does not answer."""
        await self._in_time(self._client.ping())

    async def _in_time(self, call: Awaitable[Answer]) -> Answer:
        cancellations = _cancellations()
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await call
        except (RedisError, OSError) as error:  # a TimeoutError is an OSError
            raise UnavailableError(
                "The job ledger cannot be reached now; try again shortly.", retry_after_s=RETRY_AFTER_S
            ) from error
        if _cancellations() > cancellations:
            # redis-py sends inside asyncio.wait_for, which in Python 3.11 loses a cancellation that comes just as the
            # command has gone out: the stream of a client that has left would go on for ever.
            raise asyncio.CancelledError
        return answer


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0
