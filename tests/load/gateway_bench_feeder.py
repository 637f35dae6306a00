"""Writes a worker's events for the gateway benchmark, in a process of its own.

    python -m tests.load.gateway_bench_feeder REDIS_URL STREAMS

It claims so many jobs, says "claimed", and then does what each line of its input says: {"tokens", "per_event",
"pause_s"} appends events to all jobs and answers "fed"; {"finish": true} ends the jobs and the process.
"""

import json
import sys
import time
from uuid import uuid4

import redis

from shared.events import FinalEvent, TokensEvent
from shared.ledger import Claimed, Ledger

_QUEUE = "jobs:queued:model.drover-tiny"
_LEASE_MS = 3_600_000
_AT_ONCE = 64
"""Jobs in one append, which a script should not hold Redis up with."""


class Feeder:
    """All jobs of the run, and how many tokens each has."""

    def __init__(self, client: redis.Redis, streams: int):
        self._ledger = Ledger(client)
        self._claims: list[Claimed] = []
        self._seq = 0
        while len(self._claims) < streams:
            waiting = client.zrange(_QUEUE, 0, -1)
            for job_id in waiting:
                claimed = self._ledger.claim(
                    job_id.decode(), worker_id="bench", claim_id=uuid4().hex, lease_ms=_LEASE_MS
                )
                if isinstance(claimed, Claimed):
                    self._claims.append(claimed)
            if not waiting:
                time.sleep(0.02)

    def feed(self, tokens: int, per_event: int, pause_s: float) -> None:
        """So many tokens more for each job; `pause_s` between two events of a job, however long they take to write."""
        next_s = time.monotonic()
        for _ in range(0, tokens, per_event):
            first, self._seq = self._seq + 1, self._seq + per_event
            ids, texts = list(range(per_event)), [" token"] * per_event
            events = [TokensEvent(claim.job.id, first, claim.epoch, ids, texts) for claim in self._claims]
            for place in range(0, len(events), _AT_ONCE):
                self._ledger.append(events[place : place + _AT_ONCE])
            next_s += pause_s
            time.sleep(max(0.0, next_s - time.monotonic()))

    def finish(self) -> None:
        for claim in self._claims:
            self._ledger.finish(FinalEvent(claim.job.id, self._seq, claim.epoch, "length"))


def main() -> None:
    with redis.Redis.from_url(sys.argv[1]) as client:
        feeder = Feeder(client, int(sys.argv[2]))
        print("claimed", flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            if order.get("finish"):
                feeder.finish()
                return
            feeder.feed(**order)
            print("fed", flush=True)


if __name__ == "__main__":
    main()
