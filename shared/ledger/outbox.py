"""The outbox entry: what `turns:final` tells the session service about a job that became final."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from shared.events import Usage
from shared.ledger.answers import JobState


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One job that became final. The text is not here: it is in the token log (`read_log(job_id)`).

    `error` is OpenAI's error object or None. Times are milliseconds of Redis' clock.
    """

    job_id: str
    tenant_id: str
    key_id: str
    model: str
    session_id: str | None
    state: JobState
    finish_reason: str
    usage: Usage
    last_seq: int
    accepted_ms: int
    finished_ms: int
    error: dict[str, Any] | None
    traceparent: str = ""

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes] | Mapping[str, str]) -> Self:
        """The entry from the fields of a stream entry, as redis-py gives them (bytes or decoded)."""
        raw = {_text(name): _text(value) for name, value in fields.items()}
        counts = (raw["prompt_tokens"], raw["completion_tokens"], raw["cached_tokens"])
        return cls(
            job_id=raw["job_id"],
            tenant_id=raw["tenant_id"],
            key_id=raw["key_id"],
            model=raw["model"],
            session_id=raw["session_id"] or None,
            state=raw["state"],  # type: ignore[arg-type]  # the scripts write no other
            finish_reason=raw["finish_reason"],
            usage=Usage(*(int(count) for count in counts)),
            last_seq=int(raw["last_seq"]),
            accepted_ms=int(raw["accepted_ms"]),
            finished_ms=int(raw["finished_ms"]),
            error=orjson.loads(raw["error"]),
            traceparent=raw.get("traceparent", ""),  # not there in an entry of an earlier version
        )


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
