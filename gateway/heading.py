"""What all of a job's answers have in common: OpenAI's outer fields, and Drover's own under one name."""

from dataclasses import dataclass, field
from typing import Any

from gateway.follow import Ended
from shared.bodies.turns import Truncation
from shared.events import FinalEvent, FinishReason, Usage
from shared.job import AnswerForm

TOLD_REASONS: dict[FinishReason, str] = {"cancelled": "length"}
"""Finish reasons that OpenAI's clients do not know, as those that they know. `length` is what every client takes for
"there would be more"; the answer's `drover.cancelled` says why."""


@dataclass(frozen=True, slots=True)
class Heading:
    """`created` in seconds since the epoch; `tier` is told if it is given."""

    job_id: str
    model: str
    created: int
    fingerprint: str
    session_id: str | None = None
    truncation: Truncation | None = None
    has_usage: bool = False
    tier: str | None = None
    form: AnswerForm = field(default_factory=AnswerForm)

    def fields(self, kind: str, *, prefix: str) -> dict[str, Any]:
        tier = {"service_tier": self.tier} if self.tier else {}
        return {
            "id": f"{prefix}{self.job_id}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            **tier,
            "system_fingerprint": self.fingerprint,
        }

    def extras(self, ended: Ended) -> dict[str, Any]:
        """Drover's own additions, under one name; nothing when there is nothing to say."""
        said: dict[str, Any] = {}
        if ended.final.finish_reason == "cancelled":
            said["cancelled"] = True
        if self.truncation is not None and self.truncation.dropped_messages:
            said["truncation"] = self.truncation.model_dump()
        if ended.is_persisted is False:
            said["persisted"] = False
        return {"drover": said} if said else {}


def usage_fields(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def ends_of(final: FinalEvent, choices: int) -> list[tuple[str, str]]:
    """Finish reason and held-back text of each choice; where a job was ended from outside all ended alike."""
    ends: list[tuple[FinishReason, str]] = [(final.finish_reason, final.text), *final.others]
    ends += [(final.finish_reason, "")] * (choices - len(ends))
    return [(TOLD_REASONS.get(reason, reason), text) for reason, text in ends]
