"""F24: workers and gateways of an older version beside the new ones, and fields that nobody knows yet."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.fault.arena import Arena
from tests.fault.faults import Fault
from tests.fault.neighbour import neighbour
from tests.stack import ROOT

OLD = "a34c9a7"
"""The last commit of the first release's contracts."""


def scenario(arena: Arena) -> None:
    code = _checkout(arena.stack.state_dir / "old")
    with (
        neighbour(arena.stack, "gateway", code=code) as old_gateway,
        neighbour(arena.stack, "worker", {"WORKER_SIMULATED_POISON": None}, code=code) as old_worker,
    ):
        for old in (old_gateway, old_worker):
            arena.inject.note(Fault("old version", old.role, float("inf")))
        arena.gateways = lambda: [old_gateway.url, *arena.stack.gateways]
        with arena.load() as load:
            for _ in arena.times(short=2, long=20):
                arena.calm(0.5, 1.5)
                _add_unknown_fields(arena)
                arena.inject.kill("worker")  # jobs change between versions in the middle
                arena.sleep(1, 2)
                arena.inject.kill("gateway")  # streams, too
        through_old = sum(any(leg.url == old_gateway.url for leg in one.legs) for one in load.received)
    arena.gateways = lambda: arena.stack.gateways
    arena.figure("streams through the old gateway", through_old)
    arena.figure("jobs in the old worker", old_worker.log.read_text().count("job_claimed"))


def _checkout(folder: Path) -> Path:
    archive = subprocess.run(["git", "archive", OLD], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:  # also in CI: a shallow clone has no old version that could run
        pytest.skip(f"The history does not reach back to {OLD}: fetch it (git fetch --unshallow).")
    if not folder.exists():
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
    return folder


def _add_unknown_fields(arena: Arena) -> None:
    """As a later version might: in job records, in an event that is sent twice, and an event of a new kind."""
    with arena.redis() as client:
        for name in client.zrange("jobs:leases", 0, -1):
            job_id = name.decode()
            client.hset(f"job:{job_id}", "invented_later", "1")
            for _, fields in client.xrange(f"tok:{job_id}", count=1):
                event = fields[b"d"]
                client.publish(f"c:{job_id}", event[:-1] + b',"zz":{"invented":"later"}}')
            client.publish(f"c:{job_id}", f'{{"j":"{job_id}","invented_later":true}}')
    arena.inject.note(Fault("unknown fields", "jobs and events", float("inf")))


def test_old_and_new_versions_serve_the_same_streams(arena: Arena) -> None:
    scenario(arena)
