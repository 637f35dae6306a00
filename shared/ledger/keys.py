"""The ledger's keys in Redis that Python reads by itself; the scripts name theirs in lib.lua."""

from shared.hints import queue_of

OUTBOX = "turns:final"
"""Stream of the jobs that became final: one entry a job, for the session service."""

OUTBOX_GROUP = "persist"
"""The consumer group on OUTBOX."""

DEAD = "jobs:dead"
"""Stream of the jobs that were given up after too many deliveries."""

WORKERS = "workers"
"""Sorted set of worker ids by the expiry of their `worker:<id>`."""


def job_key(job_id: str) -> str:
    return f"job:{job_id}"


def log_key(job_id: str) -> str:
    """The token log, a stream: one entry an event, its JSON in the field `d`."""
    return f"tok:{job_id}"


def channel_of(job_id: str) -> str:
    """The pub/sub channel on which a job's events go out live."""
    return f"c:{job_id}"


def queued_key(model: str) -> str:
    """Sorted set of the model's queued jobs by accept time (milliseconds)."""
    return f"jobs:queued:{queue_of(model)}"


def quarantined_key(model: str) -> str:
    """Sorted set of the model's queued jobs that run only alone, by accept time (milliseconds)."""
    return f"jobs:quarantined:{queue_of(model)}"


def worker_key(worker_id: str) -> str:
    return f"worker:{worker_id}"
