"""All that the ledger holds about some jobs, read in one round trip."""

from dataclasses import dataclass

import redis

from shared.events import FinalEvent, TokensEvent
from shared.ledger import JobStatus, OutboxEntry, parsing

INDEXES = (
    "jobs:queued:model.tiny",
    "jobs:hints",
    "jobs:leases",
    "rl:key-a:c",
    "jobs:attended",
    "jobs:batch:model.tiny",
    "jobs:quarantined:model.tiny",
)


@dataclass
class View:
    """`statuses` and `logs` are in the order of the jobs, `indexes` in the order of INDEXES."""

    outbox: list[OutboxEntry]
    taken: float
    indexes: list[list[bytes]]
    statuses: list[JobStatus]
    logs: list[list[TokensEvent | FinalEvent]]


def look(client: redis.Redis, job_ids: list[str]) -> View:
    """`taken` is what the API key `key-a` has used of its tokens per minute."""
    pipe = client.pipeline(transaction=True)
    pipe.xrange("turns:final")
    pipe.hget("rl:key-a:t", "taken")
    for key in INDEXES:
        pipe.zrange(key, 0, -1)
    for job_id in job_ids:
        pipe.hmget(f"job:{job_id}", parsing.STATUS_FIELDS)
        pipe.xrange(f"tok:{job_id}")
    outbox, taken, *rest = pipe.execute()
    indexes, jobs = rest[: len(INDEXES)], rest[len(INDEXES) :]
    return View(
        outbox=[OutboxEntry.from_fields(fields) for _, fields in outbox],
        taken=float(taken or 0),
        indexes=indexes,
        statuses=[parsing.status(job_id, "tenant-a", raw) for job_id, raw in zip(job_ids, jobs[::2], strict=True)],
        logs=[parsing.log(entries, 0) for entries in jobs[1::2]],
    )
