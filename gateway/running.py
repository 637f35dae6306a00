"""A job that runs, and what its caller will get of it."""

import asyncio
from dataclasses import dataclass, field, replace

from gateway.ask import Ask, Asked
from gateway.follow import Followed
from gateway.heading import Heading
from gateway.prompt import Prompt
from shared.bodies.keys import Identity
from shared.catalogue import Catalogue
from shared.errors import ModelNotFoundError
from shared.ledger import Accepted, JobStatus, LimitUsage

DEADLINE_MARGIN_S = 1.0
"""The workers and the reaper end a late job themselves; the gateway speaks only when none of them is there to."""


@dataclass(frozen=True, slots=True)
class Running:
    """An accepted job as one caller follows it."""

    followed: Followed
    heading: Heading
    usage: LimitUsage = field(default_factory=LimitUsage)
    is_cancelled_with_caller: bool = False
    is_return: bool = False
    """The job was there before this request."""

    after_seq: int = 0
    """How far the caller says to have got; where a job has ended that may be behind its last token."""

    def headers(self) -> dict[str, str]:
        session = {"x-session-id": self.heading.session_id} if self.heading.session_id else {}
        return {"x-job-id": self.followed.job_id, **self.usage.headers(), **session}


class Runs:
    """Describes running jobs to those who follow them."""

    def __init__(self, catalogue: Catalogue):
        self._catalogue = catalogue

    def new(self, asked: Asked, prompt: Prompt, accepted: Accepted) -> Running:
        """The job that this request has started."""
        ask, tenant_id = asked.ask, asked.identity.tenant_id
        heading = self._heading(accepted.job_id, ask.model, asked.created, ask.session_id)
        return Running(
            Followed(accepted.job_id, tenant_id, 0, _give_up_at(asked.timeout_s), prompt.session_id is not None),
            replace(_as_asked(heading, ask), truncation=prompt.truncation, form=ask.form),
            accepted.usage,
            is_cancelled_with_caller=asked.on_disconnect == "cancel",
        )

    def attached(
        self,
        status: JobStatus,
        identity: Identity,
        *,
        ask: Ask | None = None,
        has_usage: bool = False,
        after_seq: int = 0,
        usage: LimitUsage | None = None,
    ) -> Running:
        """A job that some other request has started; it goes on when this caller leaves.

        `ask` is the same request sent again, None where the caller names the job.
        """
        seq = min(after_seq, status.seq) if status.is_final else after_seq
        timeout_s = (status.deadline_ms - status.accepted_ms) / 1000
        heading = self._heading(status.job_id, status.model, status.accepted_ms // 1000, status.session_id)
        heading = replace(heading if ask is None else _as_asked(heading, ask), form=status.form)
        return Running(
            Followed(status.job_id, identity.tenant_id, seq, _give_up_at(timeout_s), status.session_id is not None),
            replace(heading, has_usage=True) if has_usage else heading,
            usage or LimitUsage(),
            is_return=True,
            after_seq=after_seq,
        )

    def _heading(self, job_id: str, model: str, created: int, session_id: str | None) -> Heading:
        return Heading(job_id, model, created, self._fingerprint(model), session_id)

    def _fingerprint(self, model: str) -> str:
        try:
            digest = self._catalogue.get(model).sha256
        except ModelNotFoundError:
            digest = ""  # taken out of the catalogue since: its jobs go on, and so do those who read them
        return f"fp_{digest[:12]}" if digest else "fp_drover"


def _as_asked(heading: Heading, ask: Ask) -> Heading:
    return replace(heading, has_usage=ask.has_usage, tier=ask.tier)


def _give_up_at(timeout_s: float) -> float:
    return asyncio.get_running_loop().time() + timeout_s + DEADLINE_MARGIN_S
