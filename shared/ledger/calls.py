"""Every script call as its arguments and the parser of its answer: what the two ledger classes have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import uuid4

import orjson

from shared.bodies.keys import Limits
from shared.bodies.workers import WorkerBody
from shared.errors import DeadlineExceededError, DroverError, WorkerLostError
from shared.events import FinalEvent, StoredEvent, TokensEvent
from shared.hints import queue_of
from shared.job import GenerateJob
from shared.ledger import parsing
from shared.ledger.answers import (
    Accepted,
    AppendAnswer,
    Claimed,
    ClaimRefused,
    FencedAnswer,
    Idempotency,
    JobState,
    JobStatus,
    Lease,
    Reaped,
    RenewAnswer,
    Unreadable,
    Waiting,
)
from shared.ledger.scripts import ScriptName

DEFAULT_COMPLETION_TOKENS = 1024
"""Reserved of tokens_per_minute for a choice whose max_tokens is not given; the finish settles what it really was."""

Answer = TypeVar("Answer")
Args = list[str | bytes | int]


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One run of a script: `parse` turns what Redis answers into what the caller gets, or raises."""

    script: ScriptName
    args: Args
    parse: Callable[[Any], Answer]


def accept(
    job: GenerateJob, limits: Limits, *, max_queued_jobs: int, idempotency: Idempotency | None
) -> Call[Accepted]:
    args: Args = [
        job.id,
        uuid4().hex,  # tells a re-sent call from a second request for the same job
        job.tenant_id,
        job.key_id,
        job.model,
        queue_of(job.model),
        job.session_id or "",
        job.model_dump_json(),
        round(job.timeout_s * 1000),
        job.on_disconnect,
        -1 if job.resume_grace_s is None else round(job.resume_grace_s * 1000),
        job.prompt_tokens_bound,
        reservation(job, limits.tokens_per_minute),
        _or_none(limits.requests_per_minute),
        _or_none(limits.tokens_per_minute),
        _or_none(limits.concurrent_jobs),
        max_queued_jobs,
        idempotency.key if idempotency else "",
        idempotency.body_hash if idempotency else "",
        job.priority,
        job.form.model_dump_json(exclude_defaults=True),
        job.traceparent or "",
    ]
    return Call("accept", args, lambda raw: parsing.accepted(raw, limits))


def reservation(job: GenerateJob, tokens_per_minute: int | None) -> int:
    """Tokens to reserve: all that the job may use, or a guess that fits the limit when max_tokens is not given.

    Choices share their prompt, `max_tokens` is each one's.
    """
    if job.max_tokens is not None:
        return job.prompt_tokens_bound + job.n * job.max_tokens
    guess = job.prompt_tokens_bound + job.n * DEFAULT_COMPLETION_TOKENS
    if tokens_per_minute is None:
        return guess
    return min(guess, max(job.prompt_tokens_bound, tokens_per_minute))


def claim(
    job_id: str, *, worker_id: str, claim_id: str, lease_ms: int, is_alone: bool
) -> Call[Claimed | ClaimRefused | Unreadable]:
    args: Args = [job_id, worker_id, claim_id, lease_ms, int(is_alone), *_errors()]
    return Call("claim", args, lambda raw: parsing.claimed(job_id, raw))


def append(events: Sequence[TokensEvent]) -> Call[list[AppendAnswer]]:
    args: Args = []
    for event in events:
        args += (event.job_id, event.epoch, event.first_seq, event.last_seq, event.encode())
    return Call("append", args, parsing.words)


def renew(worker_id: str, leases: Sequence[Lease], lease_ms: int) -> Call[list[RenewAnswer]]:
    args: Args = [worker_id, lease_ms]
    for lease in leases:
        args += (lease.job_id, lease.epoch, lease.prompt_tokens, lease.uncounted_tokens)
    return Call("renew", args, parsing.words)


def finish(event: FinalEvent) -> Call[FencedAnswer]:
    usage = event.usage
    args: Args = [
        event.job_id,
        event.epoch,
        event.last_seq,
        final_state(event),
        event.finish_reason,
        event.encode(),
        orjson.dumps(event.error),
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
    ]
    return Call("finish", args, parsing.word)


def final_state(event: FinalEvent) -> JobState:
    """The state that a worker's final event leads to."""
    if event.finish_reason == "cancelled":
        return "cancelled"
    if event.finish_reason != "error":
        return "done"
    is_late = (event.error or {}).get("code") == DeadlineExceededError.code
    return "expired" if is_late else "failed"


def release(job_id: str, epoch: int) -> Call[FencedAnswer]:
    return Call("release", [job_id, epoch], parsing.word)


def cancel(job_id: str, tenant_id: str) -> Call[JobStatus]:
    return Call(
        "cancel", [job_id, tenant_id, *parsing.STATUS_FIELDS], lambda raw: parsing.status(job_id, tenant_id, raw)
    )


def reap(*, worker_id: str, lock_ms: int, lease_ms: int) -> Call[Reaped]:
    return Call("reap", [worker_id, lock_ms, 2 * lease_ms, *_errors()], parsing.reaped)


def settle(job_id: str) -> Call[None]:
    return Call("settle", [job_id, StoredEvent(job_id).encode()], lambda _: None)


def attend(job_ids: Sequence[str]) -> Call[None]:
    return Call("attend", list(job_ids), lambda _: None)


def waiting(job_id: str, tenant_id: str) -> Call[Waiting]:
    return Call("waiting", [job_id, tenant_id], parsing.waiting)


def quarantine(worker_id: str, ttl_ms: int) -> Call[bool]:
    return Call("quarantine", [worker_id, ttl_ms], bool)


def announce(body: WorkerBody, ttl_ms: int) -> Call[None]:
    return Call("announce", [body.id, body.model_dump_json(), ttl_ms], lambda _: None)


def _or_none(limit: int | None) -> int:
    """-1 stands for no limit."""
    return -1 if limit is None else limit


def _errors() -> tuple[bytes, bytes]:
    """The error objects of the final events that a script writes by itself: past the deadline, and given up."""
    return _object_of(DeadlineExceededError()), _object_of(WorkerLostError())


def _object_of(error: DroverError) -> bytes:
    return orjson.dumps(error.body()["error"])
