"""What the ledger's calls take and answer."""

from dataclasses import dataclass, field
from typing import Literal

from shared.events import Usage
from shared.job import GenerateJob

JobState = Literal["queued", "running", "done", "cancelled", "failed", "dead", "expired"]
AppendAnswer = Literal["ok", "fenced", "cancelled"]
RenewAnswer = Literal["ok", "lost", "cancelled", "expired"]
FencedAnswer = Literal["ok", "fenced"]
RefusalReason = Literal["leased", "final", "dead", "expired", "gone"]

OPEN_STATES: tuple[JobState, ...] = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's Idempotency-Key, and the digest of the body that came with it."""

    key: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class LimitUsage:
    """What is left of an API key's limits after a call; None where the key has no such limit.

    `reset_*_s` is the time until the whole limit is free again.
    """

    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests_s: float | None = None
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens_s: float | None = None

    def headers(self) -> dict[str, str]:
        """The `x-ratelimit-*` headers that OpenAI's clients read; none for a limit that is not set."""
        rows = {
            "requests": (self.limit_requests, self.remaining_requests, self.reset_requests_s),
            "tokens": (self.limit_tokens, self.remaining_tokens, self.reset_tokens_s),
        }
        headers: dict[str, str] = {}
        for kind, (limit, remaining, reset_s) in rows.items():
            if limit is not None:
                headers[f"x-ratelimit-limit-{kind}"] = str(limit)
                headers[f"x-ratelimit-remaining-{kind}"] = str(remaining or 0)
                headers[f"x-ratelimit-reset-{kind}"] = duration(reset_s or 0.0)
        return headers


def duration(seconds: float) -> str:
    """A time span as OpenAI's headers write it: "0s", "120ms", "1.5s", "6m0s", "1h2m3s"."""
    if seconds < 1:
        millis = round(seconds * 1000)
        return f"{millis}ms" if 0 < millis < 1000 else ("1s" if millis else "0s")
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{tenths / 10:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job is in the ledger. With `is_replay` it already was: `job_id` is the earlier one, attach to it."""

    job_id: str
    is_replay: bool
    usage: LimitUsage = field(default_factory=LimitUsage)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it stands now. Times are milliseconds of Redis' clock; `seq` is the number of tokens in the log."""

    job_id: str
    state: JobState
    seq: int
    model: str
    key_id: str
    session_id: str | None
    finish_reason: str | None
    is_stored: bool
    cancel: bool
    usage: Usage
    accepted_ms: int
    deadline_ms: int
    finished_ms: int | None
    on_disconnect: Literal["cancel", "detach"]
    resume_grace_s: float

    @property
    def is_final(self) -> bool:
        return self.state not in OPEN_STATES


@dataclass(frozen=True, slots=True)
class Claimed:
    """The job is this worker's until its lease ends. Go on at `seq` + 1, write with `epoch`."""

    job: GenerateJob
    epoch: int
    seq: int
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """There is nothing to do for this hint: acknowledge it and return."""

    reason: RefusalReason


@dataclass(frozen=True, slots=True)
class Reaped:
    """What one round of the reaper did; `requeued` and `unhinted` hold (job id, model): the caller hints them."""

    requeued: list[tuple[str, str]] = field(default_factory=list)
    unhinted: list[tuple[str, str]] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    got_lock: bool = False
