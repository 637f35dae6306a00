"""From what Redis answers to what the ledger's callers get."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from shared.bodies.keys import Limits
from shared.bodies.workers import WorkerBody
from shared.errors import (
    IdempotencyMismatchError,
    JobNotFoundError,
    QueueFullError,
    RateLimitError,
    UpstreamError,
)
from shared.events import FinalEvent, StoredEvent, TokensEvent, Usage, decode
from shared.job import AnswerForm, GenerateJob
from shared.ledger.answers import (
    Accepted,
    Claimed,
    ClaimRefused,
    Hint,
    JobStatus,
    LimitUsage,
    Reaped,
    Unreadable,
    Waiting,
)

STATUS_FIELDS = (
    "tenant",
    "state",
    "seq",
    "model",
    "key",
    "session",
    "finish_reason",
    "stored",
    "cancel",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "accepted_ms",
    "deadline_ms",
    "finished_ms",
    "on_disconnect",
    "resume_grace_ms",
    "form",
)
"""The fields of a job's hash that make its status."""


def accepted(raw: Sequence[Any], limits: Limits) -> Accepted:
    """The answer of accept. Raises RateLimitError, QueueFullError, IdempotencyMismatchError."""
    verdict, job_id = text(raw[0]), text(raw[1])
    usage = _limit_usage(limits, *(int(value) for value in raw[2:6]))
    retry_after_s = int(raw[6]) / 1000
    if verdict in ("accepted", "replay"):
        return Accepted(job_id, verdict == "replay", usage)
    if verdict == "mismatch":
        raise IdempotencyMismatchError()
    if verdict == "full":
        raise QueueFullError(retry_after_s=retry_after_s)
    refusal = RateLimitError(_refusal(verdict, limits), retry_after_s=retry_after_s or None)
    refusal.headers = usage.headers()
    raise refusal


def _limit_usage(limits: Limits, requests: int, requests_ms: int, tokens: int, tokens_ms: int) -> LimitUsage:
    has_requests, has_tokens = limits.requests_per_minute is not None, limits.tokens_per_minute is not None
    return LimitUsage(
        limit_requests=limits.requests_per_minute,
        remaining_requests=requests if has_requests else None,
        reset_requests_s=requests_ms / 1000 if has_requests else None,
        limit_tokens=limits.tokens_per_minute,
        remaining_tokens=tokens if has_tokens else None,
        reset_tokens_s=tokens_ms / 1000 if has_tokens else None,
    )


def _refusal(verdict: str, limits: Limits) -> str:
    return {
        "requests": f"This API key's limit of {limits.requests_per_minute} requests per minute is reached; "
        "wait as long as Retry-After says.",
        "tokens": f"This API key's limit of {limits.tokens_per_minute} tokens per minute is reached; "
        "wait as long as Retry-After says.",
        "too_large": f"This request may use more than this API key's {limits.tokens_per_minute} tokens per minute; "
        "shorten the prompt or ask for fewer max_tokens.",
        "concurrent": f"This API key's limit of {limits.concurrent_jobs} concurrent requests is reached; "
        "wait until one of them ends.",
    }[verdict]


def claimed(job_id: str, raw: Sequence[Any]) -> Claimed | ClaimRefused | Unreadable:
    reason, *rest = raw
    if text(reason) != "ok":
        return ClaimRefused(*words(raw))
    epoch, seq, deadline_ms, payload, stays_alone, prompt_tokens, uncounted_tokens = rest
    try:
        job = GenerateJob.model_validate_json(payload)
    except ValidationError:
        return Unreadable(job_id, int(epoch), int(seq))
    return Claimed(
        job,
        int(epoch),
        int(seq),
        int(deadline_ms),
        stays_alone=int(stays_alone) == 1,
        prompt_tokens=int(prompt_tokens),
        uncounted_tokens=int(uncounted_tokens),
    )


def waiting(raw: Sequence[Any]) -> Waiting:
    """Raises JobNotFoundError, also for another tenant's job."""
    if not raw:
        raise JobNotFoundError()
    state, position, progress = text(raw[0]), int(raw[1]), float(text(raw[2]))
    return Waiting(
        state,  # type: ignore[arg-type]  # the scripts write no other
        position if position >= 0 else None,
        progress if progress >= 0 else None,
    )


def status(job_id: str, tenant_id: str, raw: Sequence[Any]) -> JobStatus:
    """The status from the values of STATUS_FIELDS. Raises JobNotFoundError, also for another tenant's job."""
    fields = {name: text(value) if value else "" for name, value in zip(STATUS_FIELDS, raw, strict=False)}
    if not fields.get("state") or fields["tenant"] != tenant_id:
        raise JobNotFoundError()
    return JobStatus(
        job_id=job_id,
        state=fields["state"],  # type: ignore[arg-type]  # the scripts write no other
        seq=int(fields["seq"]),
        model=fields["model"],
        key_id=fields["key"],
        session_id=fields["session"] or None,
        finish_reason=fields["finish_reason"] or None,
        is_stored=fields["stored"] == "1",
        cancel=fields["cancel"] == "1",
        usage=Usage(
            int(fields["prompt_tokens"] or 0),
            int(fields["completion_tokens"] or 0),
            int(fields["cached_tokens"] or 0),
        ),
        accepted_ms=int(fields["accepted_ms"]),
        deadline_ms=int(fields["deadline_ms"]),
        finished_ms=int(fields["finished_ms"]) if fields["finished_ms"] else None,
        on_disconnect="detach" if fields["on_disconnect"] == "detach" else "cancel",
        resume_grace_s=int(fields["resume_grace_ms"]) / 1000 if int(fields["resume_grace_ms"]) >= 0 else None,
        form=_form(fields["form"]),
    )


def _form(written: str) -> AnswerForm:
    """The form as accept wrote it; that of a newer version may be one that this one does not know."""
    try:
        return AnswerForm.model_validate_json(written or "{}")
    except ValidationError:
        return AnswerForm()


def reaped(raw: Sequence[Any]) -> Reaped:
    if not int(raw[0]):
        return Reaped()
    return Reaped(
        requeued=_hints(raw[1]),
        unhinted=_hints(raw[2]),
        overtaken=_hints(raw[3]),
        expired=words(raw[4]),
        dead=words(raw[5]),
        abandoned=words(raw[6]),
        got_lock=True,
    )


def _hints(raw: Sequence[Any]) -> list[Hint]:
    rows = zip(*(raw[place::5] for place in range(5)), strict=True)
    return [
        Hint(text(job_id), text(model), word(priority), int(begun) == 1, text(traceparent))
        for job_id, model, priority, begun, traceparent in rows
    ]


def log(entries: Sequence[Any], after_seq: int) -> list[TokensEvent | FinalEvent]:
    """The events of a token log's entries, without the tokens up to `after_seq`."""
    events: list[TokensEvent | FinalEvent] = []
    for _, fields in entries:
        event = decode(fields.get(b"d") or fields.get("d") or b"")
        if isinstance(event, StoredEvent):
            raise UpstreamError("A token log holds an event that does not belong there.")
        events.append(event.after(after_seq) if isinstance(event, TokensEvent) else event)
    return events


def workers(raw: Sequence[Any]) -> list[WorkerBody]:
    """The workers whose `worker:<id>` is still there."""
    return [WorkerBody.model_validate_json(value) for value in raw if value]


def words(raw: Sequence[Any]) -> list[Any]:
    return [text(value) for value in raw]


def word(raw: Any) -> Any:
    return text(raw)


def text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
