"""The job ledger: the truth about every job, as Lua scripts in Redis and their typed calls."""

from shared.ledger.answers import (
    Accepted,
    AppendAnswer,
    Claimed,
    ClaimRefused,
    FencedAnswer,
    Hint,
    Idempotency,
    JobState,
    JobStatus,
    Lease,
    LimitUsage,
    Reaped,
    RenewAnswer,
    Unreadable,
    Waiting,
)
from shared.ledger.asynchronous import AsyncLedger
from shared.ledger.blocking import Ledger, LedgerAwayError
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
    "Hint",
    "Idempotency",
    "JobState",
    "JobStatus",
    "Lease",
    "Ledger",
    "LedgerAwayError",
    "LimitUsage",
    "OutboxEntry",
    "Reaped",
    "RenewAnswer",
    "Unreadable",
    "Waiting",
    "channel_of",
]
