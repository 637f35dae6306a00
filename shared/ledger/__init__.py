"""The job ledger: the truth about every job, as Lua scripts in Redis and their typed calls."""

from shared.ledger.answers import (
    Accepted,
    AppendAnswer,
    Claimed,
    ClaimRefused,
    FencedAnswer,
    Idempotency,
    JobState,
    JobStatus,
    LimitUsage,
    Reaped,
    RenewAnswer,
)
from shared.ledger.asynchronous import AsyncLedger
from shared.ledger.blocking import Ledger
from shared.ledger.keys import OUTBOX, OUTBOX_GROUP, channel_of
from shared.ledger.outbox import OutboxEntry

__all__ = [
    "OUTBOX",
    "OUTBOX_GROUP",
    "Accepted",
    "AppendAnswer",
    "AsyncLedger",
    "ClaimRefused",
    "Claimed",
    "FencedAnswer",
    "Idempotency",
    "JobState",
    "JobStatus",
    "Ledger",
    "LimitUsage",
    "OutboxEntry",
    "Reaped",
    "RenewAnswer",
    "channel_of",
]
