"""Jobs as /v1/jobs shows them."""

from typing import Literal, Self

from pydantic import BaseModel

from shared.ledger import JobState, JobStatus


class JobUsageBody(BaseModel):
    """Tokens of a job; nought until it has ended."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class JobBody(BaseModel):
    """One job as it stands. Times are seconds since the epoch; `tokens` is how many its stream has so far.

    `session_id` is None for a response: its conversation has an id of its own, and outside of one it is a secret.
    """

    id: str
    object: Literal["job"] = "job"
    state: JobState
    model: str
    session_id: str | None
    tokens: int
    finish_reason: str | None
    is_cancel_wanted: bool
    created_at: int
    deadline_at: int
    finished_at: int | None
    usage: JobUsageBody

    @classmethod
    def of(cls, status: JobStatus) -> Self:
        usage = status.usage
        return cls(
            id=status.job_id,
            state=status.state,
            model=status.model,
            session_id=None if status.form.api == "responses" else status.session_id,
            tokens=status.seq,
            finish_reason=status.finish_reason,
            is_cancel_wanted=status.cancel,
            created_at=status.accepted_ms // 1000,
            deadline_at=status.deadline_ms // 1000,
            finished_at=None if status.finished_ms is None else status.finished_ms // 1000,
            usage=JobUsageBody(
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                total_tokens=usage.prompt_tokens + usage.completion_tokens,
            ),
        )
