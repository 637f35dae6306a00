"""The shortest way to a job in each state, and a look into the ledger's keys."""

from itertools import count

import redis

from shared.bodies.keys import Limits
from shared.bodies.messages import Message
from shared.events import FinalEvent, TokensEvent, Usage
from shared.job import GenerateJob
from shared.ledger import AsyncLedger, Claimed, Ledger, Reaped

UNLIMITED = Limits()
LEASE_MS = 60_000

_numbers = count(1)


def make_job(**fields: object) -> GenerateJob:
    """A job with a new id; any field can be given."""
    defaults: dict[str, object] = {
        "id": f"job-{next(_numbers)}",
        "tenant_id": "tenant-a",
        "key_id": "key-a",
        "model": "tiny",
        "model_digest": "abc",
        "messages": (Message(role="user", content="Hello"),),
        "max_tokens": 90,
        "prompt_tokens_bound": 10,
    }
    return GenerateJob.model_validate(defaults | fields)


def tokens(job_id: str, first_seq: int, epoch: int, how_many: int = 1) -> TokensEvent:
    """An event of `how_many` tokens whose ids are their seqs."""
    ids = list(range(first_seq, first_seq + how_many))
    return TokensEvent(job_id, first_seq, epoch, ids, [f"t{seq} " for seq in ids])


def final(job_id: str, last_seq: int, epoch: int, **fields: object) -> FinalEvent:
    return FinalEvent(job_id, last_seq, epoch, **({"finish_reason": "stop", "usage": Usage(10, last_seq)} | fields))  # type: ignore[arg-type]


def redis_seconds(client: redis.Redis) -> float:
    """Redis' clock."""
    seconds, micros = client.time()  # type: ignore[misc]
    return float(seconds + micros / 1e6)


class Bench:
    """The steps that most tests begin with."""

    def __init__(self, client: redis.Redis, ledger: Ledger, gate: AsyncLedger):
        self.client, self.ledger, self.gate = client, ledger, gate
        self._claims = count(1)

    async def accept(self, limits: Limits = UNLIMITED, **fields: object) -> GenerateJob:
        job = make_job(**fields)
        await self.gate.accept(job, limits, max_queued_jobs=1000)
        return job

    def claim(self, job_id: str, worker_id: str = "w1", lease_ms: int = LEASE_MS, *, is_alone: bool = False) -> Claimed:
        claim_id = f"claim-{next(self._claims)}"
        claimed = self.ledger.claim(
            job_id, worker_id=worker_id, claim_id=claim_id, lease_ms=lease_ms, is_alone=is_alone
        )
        assert isinstance(claimed, Claimed)
        return claimed

    async def run(self, limits: Limits = UNLIMITED, **fields: object) -> tuple[GenerateJob, int]:
        """A running job and its epoch."""
        job = await self.accept(limits, **fields)
        return job, self.claim(job.id).epoch

    async def finished(self, limits: Limits = UNLIMITED, **fields: object) -> GenerateJob:
        """A job that is done after two tokens."""
        job, epoch = await self.run(limits, **fields)
        self.ledger.append([tokens(job.id, 1, epoch, 2)])
        assert self.ledger.finish(final(job.id, 2, epoch)) == "ok"
        return job

    def end_lease(self, job_id: str) -> None:
        """As if the worker had not renewed it."""
        self.client.zadd("jobs:leases", {job_id: 1})

    def set_accepted(self, job: GenerateJob, accepted_ms: int) -> None:
        """As if the queued job had come then."""
        self.client.hset(f"job:{job.id}", "accepted_ms", str(accepted_ms))
        for key in ("jobs:queued:model.tiny", "jobs:batch:model.tiny"):
            self.client.zadd(key, {job.id: accepted_ms}, xx=True)

    def end_grace(self, job_id: str) -> None:
        """As if no gateway had attended to the job for its grace."""
        self.client.zadd("jobs:attended", {job_id: 1}, xx=True)

    def lose(self, job_id: str, how_many: int = 1, *, is_alone: bool = False) -> Reaped:
        """Claim the job and lose its worker without a token, so many times; what the last round said."""
        reaped = Reaped()
        for _ in range(how_many):
            self.claim(job_id, is_alone=is_alone)
            self.end_lease(job_id)
            reaped = self.ledger.reap(worker_id="reaper-1", lock_ms=60_000)
        return reaped

    def end_deadline(self, job_id: str) -> None:
        """As if the job's time were over."""
        self.client.hset(f"job:{job_id}", "deadline_ms", "1")
        self.client.zadd("jobs:hints", {job_id: 1}, xx=True)

    def outbox(self) -> list[dict[bytes, bytes]]:
        return [fields for _, fields in self.client.xrange("turns:final")]  # type: ignore[union-attr,misc]

    def indexes(self, job_id: str) -> set[str]:
        """In which of the ledger's indexes the job stands."""
        keys = ("jobs:queued:model.tiny", "jobs:hints", "jobs:leases", "rl:key-a:c")
        return {key for key in keys if self.client.zscore(key, job_id) is not None}
