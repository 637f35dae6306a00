"""The worker's ledger: synchronous calls, safe to share between threads."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import redis

from shared.bodies.workers import WorkerBody
from shared.events import FinalEvent, TokensEvent
from shared.ledger import calls, parsing
from shared.ledger.answers import (
    AppendAnswer,
    Claimed,
    ClaimRefused,
    FencedAnswer,
    Lease,
    Reaped,
    RenewAnswer,
    Unreadable,
)
from shared.ledger.keys import log_key, quarantined_key
from shared.ledger.scripts import SCRIPT_NAMES, source_of

Answer = TypeVar("Answer")

LedgerAwayError = redis.exceptions.RedisError
"""What every call can raise: Redis was not reached, or not in time."""


class Ledger:
    """Every call is idempotent: it may be sent again after a redis.exceptions.RedisError, which any call can raise."""

    def __init__(self, client: redis.Redis):
        self._client = client
        self._scripts = {name: client.register_script(source_of(name)) for name in SCRIPT_NAMES}

    def claim(
        self, job_id: str, *, worker_id: str, claim_id: str, lease_ms: int, is_alone: bool = False
    ) -> Claimed | ClaimRefused | Unreadable:
        """Take the job for `lease_ms`. `claim_id` is new for each attempt and the same when that attempt is re-sent.

        `is_alone`: no other job runs in this worker, so that it may have a quarantined one.
        """
        return self._run(
            calls.claim(job_id, worker_id=worker_id, claim_id=claim_id, lease_ms=lease_ms, is_alone=is_alone)
        )

    def read_log(self, job_id: str, after_seq: int = 0) -> list[TokensEvent | FinalEvent]:
        """The job's events after the token `after_seq`, in order; the first one is cut to what is new."""
        entries = cast(list[Any], self._client.xrange(log_key(job_id), min=f"{after_seq}-1"))
        return parsing.log(entries, after_seq)

    def append(self, events: Sequence[TokensEvent]) -> list[AppendAnswer]:
        """Write the events to their logs and channels, at most one a job; one answer each, in order.

        "cancelled": written, but a cancel is wanted. "fenced": refused, because the job is another's now, is final, or
        the event does not begin at the log's end (Redis lost writes): drop the sequence, whoever claims next goes on.
        """
        return self._run(calls.append(events)) if events else []

    def renew(self, worker_id: str, leases: Sequence[Lease], lease_ms: int) -> list[RenewAnswer]:
        """Extend the leases; one answer each, in order.

        "expired": past its deadline, the lease is not extended any more, so finish it now. "lost": drop it.
        """
        return self._run(calls.renew(worker_id, leases, lease_ms)) if leases else []

    def finish(self, event: FinalEvent) -> FencedAnswer:
        """End the job. "fenced": it is another's now, or not all of its tokens are in the log; drop it."""
        return self._run(calls.finish(event))

    def release(self, job_id: str, epoch: int) -> FencedAnswer:
        """Give the job back to its queue, at its old place and with its tokens; on "ok" the caller sends the hint."""
        return self._run(calls.release(job_id, epoch))

    def reap(self, *, worker_id: str, lock_ms: int, lease_ms: int = 1500) -> Reaped:
        """One bounded round of repair, if this worker gets the lock.

        When there was none by anybody for 2 s, because Redis or all workers were away, no job is taken from its worker
        for 2 * `lease_ms`.
        """
        return self._run(calls.reap(worker_id=worker_id, lock_ms=lock_ms, lease_ms=lease_ms))

    def hold_quarantine(self, worker_id: str, ttl_ms: int) -> bool:
        """Take or keep the right to run suspicious jobs alone; False: another worker has it."""
        return self._run(calls.quarantine(worker_id, ttl_ms))

    def leave_quarantine(self, worker_id: str) -> None:
        """Give that right up; harmless without it."""
        self._run(calls.quarantine(worker_id, 0))

    def next_quarantined(self, model: str) -> str | None:
        """The oldest job of this model that waits to run alone."""
        oldest = cast(list[bytes | str], self._client.zrange(quarantined_key(model), 0, 0))
        return parsing.text(oldest[0]) if oldest else None

    def publish_worker(self, body: WorkerBody, ttl_ms: int) -> None:
        """Say that this worker is alive, and what it holds, for the next `ttl_ms`."""
        self._run(calls.announce(body, ttl_ms))

    def _run(self, call: calls.Call[Answer]) -> Answer:
        return call.parse(self._scripts[call.script](args=call.args))
