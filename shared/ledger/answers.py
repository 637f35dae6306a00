"""What the ledger's calls take and answer."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from shared.events import Usage
from shared.job import AnswerForm, GenerateJob, Priority

JobState = Literal["queued", "running", "done", "cancelled", "failed", "dead", "expired"]
AppendAnswer = Literal["ok", "fenced", "cancelled"]
RenewAnswer = Literal["ok", "lost", "cancelled", "expired"]
FencedAnswer = Literal["ok", "fenced"]
RefusalReason = Literal["leased", "final", "dead", "expired", "gone", "quarantined"]

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
    resume_grace_s: float | None
    form: AnswerForm = field(default_factory=AnswerForm)

    @property
    def is_final(self) -> bool:
        return self.state not in OPEN_STATES


@dataclass(frozen=True, slots=True)
class Claimed:
    """The job is this worker's until its lease ends. Go on at `seq` + 1, write with `epoch`.

    `stays_alone`: a job of the quarantine stays alone to its end, not only until its first new token.
    `prompt_tokens` and `uncounted_tokens`: what an earlier life said of them, see Lease; 0 if none did.
    """

    job: GenerateJob
    epoch: int
    seq: int
    deadline_ms: int
    stays_alone: bool = False
    prompt_tokens: int = 0
    uncounted_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The job is this worker's, but it cannot be understood: end it with an explicit error."""

    job_id: str
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """There is nothing to do for this hint: acknowledge it and return.

    "quarantined": the job killed workers or was near, and runs only alone. `model` is given with that reason alone.
    """

    reason: RefusalReason
    model: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """A job that a worker holds, with what it has learnt of it.

    `prompt_tokens` is 0 until the prompt has been tokenized. `uncounted_tokens` of the log are none of the answer's:
    the prompt's own, in a job that echoes it, and the end tokens, in a job of several choices.
    """

    job_id: str
    epoch: int
    prompt_tokens: int = 0
    uncounted_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """How far an open job is from its first token.

    `position`: jobs that are taken before it, None unless it is queued. `load_progress`: how much of its model is
    loaded (0 … 1) where that is furthest on its way, None when no worker loads it.
    """

    state: JobState
    position: int | None
    load_progress: float | None


class Hint(NamedTuple):
    """What `send_hint` needs. A job that has begun to answer `is_begun`: its client would see the queue as a pause."""

    job_id: str
    model: str
    priority: Priority
    is_begun: bool = False
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Reaped:
    """What one round of the reaper did.

    The caller hints `requeued` jobs and those that were `overtaken` by younger ones, and the `unhinted` ones if no hint
    waits in their queue. `abandoned` jobs are cancelled because no gateway attended to them.
    """

    requeued: list[Hint] = field(default_factory=list)
    unhinted: list[Hint] = field(default_factory=list)
    overtaken: list[Hint] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)
    got_lock: bool = False
