"""What the ledger must hold after each step, kept in plain Python beside the real one."""

from dataclasses import dataclass, field

from shared.events import FinalEvent, TokensEvent, Usage
from shared.job import GenerateJob

SUSPECT_DELIVERIES, SUSPECT_CLAIMS = 2, 8
MAX_DELIVERIES, MAX_CLAIMS = 3, 10
PROMPT_TOKENS = 10


@dataclass
class ModelJob:
    """One job, as the sum of the steps so far."""

    job: GenerateJob
    state: str = "queued"
    epoch: int = 0
    cancel: bool = False
    log: list[TokensEvent] = field(default_factory=list)
    claim_id: str = ""
    worker: str = ""
    seq_at_claim: int = 0
    deliveries: int = 0
    claims: int = 0
    released: int = -1
    is_lease_over: bool = False
    is_late: bool = False
    is_hint_due: bool = False
    is_grace_over: bool = False
    is_alone: bool = False
    is_quarantined: bool = False
    prompt_tokens: int | None = None
    uncounted_tokens: int = 0
    used: int = 0
    final: FinalEvent | None = None
    stored_times: int = 0
    holder: "Grip | None" = None

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def seq(self) -> int:
        return self.log[-1].last_seq if self.log else 0

    @property
    def is_final(self) -> bool:
        return self.final is not None

    @property
    def is_attended(self) -> bool:
        return not self.is_final and not self.cancel and self.job.resume_grace_s is not None

    @property
    def is_suspect(self) -> bool:
        is_stuck = self.seq == self.seq_at_claim and self.deliveries >= SUSPECT_DELIVERIES
        return is_stuck or self.claims >= SUSPECT_CLAIMS

    @property
    def is_poison(self) -> bool:
        is_stuck = self.seq == self.seq_at_claim and self.deliveries >= MAX_DELIVERIES
        return self.is_alone and (is_stuck or self.claims >= MAX_CLAIMS)

    def claim(self, worker: str, claim_id: str, is_alone: bool) -> None:
        self.deliveries = self.deliveries + 1 if self.seq == self.seq_at_claim else 1
        self.claims += 1
        self.seq_at_claim = self.seq
        self.state, self.epoch = "running", self.epoch + 1
        self.worker, self.claim_id, self.is_alone = worker, claim_id, is_alone
        self.is_lease_over = self.is_hint_due = False

    def requeue(self, is_suspect: bool) -> None:
        self.is_quarantined = is_suspect
        self.state, self.epoch, self.claim_id = "queued", self.epoch + 1, ""
        self.is_lease_over = False

    def finish(self, state: str, event: FinalEvent) -> None:
        self.state, self.final = state, event
        self.used = event.usage.prompt_tokens + event.usage.completion_tokens

    def close(self, state: str, error_code: str | None = None) -> None:
        """An end that no worker wrote."""
        self.epoch += 1
        prompt_tokens = self.prompt_tokens or (PROMPT_TOKENS if self.seq else 0)
        usage = Usage(prompt_tokens, max(0, self.seq - self.uncounted_tokens))
        reason = "error" if error_code else "cancelled"
        error = {"code": error_code} if error_code else None
        self.finish(state, FinalEvent(self.id, self.seq, self.epoch, reason, usage=usage, error=error))  # type: ignore[arg-type]

    def reap_lease(self) -> str:
        """What the reaper makes of a lease that is over."""
        if self.cancel:
            self.close("cancelled")
        elif self.is_late:
            self.close("expired", "deadline_exceeded")
        elif self.is_poison:
            self.close("dead", "worker_lost")
        else:
            self.requeue(self.is_suspect)
        return self.state

    def release(self, epoch: int) -> None:
        self.released, self.deliveries, self.claims = epoch, self.deliveries - 1, self.claims - 1
        if self.cancel:
            self.close("cancelled")
        else:
            is_cleared = self.seq != self.seq_at_claim and self.claims < SUSPECT_CLAIMS
            self.requeue(self.is_quarantined and not is_cleared)


@dataclass
class Grip:
    """A worker's hold on a job as the worker sees it; it may have been lost long ago."""

    job: ModelJob
    worker: str
    claim_id: str
    epoch: int
    seq: int
    last_event: TokensEvent | None = None
    is_alone: bool = False

    @property
    def newest(self) -> "Grip":
        """The latest claim of the same job: the one that is not a zombie, if any."""
        return self.job.holder or self

    @property
    def is_held(self) -> bool:
        return self.job.epoch == self.epoch and self.job.state == "running"


def check_log(job: ModelJob, events: list[TokensEvent | FinalEvent]) -> None:
    """The log holds the job's tokens without a gap, each once, and exactly one end if the job has ended."""
    assert events[: len(job.log)] == job.log
    written = [token for event in job.log for token in event.token_ids]
    assert [token % 1000 for token in written] == list(range(1, job.seq + 1))
    ends = events[len(job.log) :]
    assert len(ends) == job.is_final
    if job.final:
        (end,) = ends
        assert isinstance(end, FinalEvent)
        assert (end.last_seq, end.finish_reason, end.usage) == (job.seq, job.final.finish_reason, job.final.usage)
        assert (end.error or {}).get("code") == (job.final.error or {}).get("code")
