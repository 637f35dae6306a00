"""F7: a worker is frozen for three leases and wakes when its jobs are others' already."""

import time

from tests.fault.arena import Arena


def scenario(arena: Arena) -> None:
    before = _refused_writes(arena)
    with arena.load():
        for _ in arena.times(short=2, long=30):
            arena.sleep(0.5, 1.5)
            with arena.inject.frozen("worker"):
                time.sleep(4.5)
            arena.sleep(0.5, 1)
    refused = _refused_writes(arena) - before
    arena.figure("jobs that the woken worker lost", int(refused))
    arena.expect(refused >= 1, "no woken worker was refused: nothing was fenced")


def _refused_writes(arena: Arena) -> float:
    """A woken worker hears of its loss by its next append or by its next renewal, whichever comes first."""
    return arena.metric("worker", "drover_fenced_total") + arena.metric("worker", "drover_lease_lost_total")


def test_a_worker_that_wakes_late_spoils_nothing(arena: Arena) -> None:
    scenario(arena)
