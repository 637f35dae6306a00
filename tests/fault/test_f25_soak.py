"""F25: F1, F9 and F12 mixed for as long as is asked for; memory, descriptors and keys are watched."""

import time

from tests.fault.arena import Arena
from tests.fault.watch import Watch

SHORT_S = 15.0
LOGS_LIVE_S = 150.0
"""A token log lives 120 s after its job is stored."""


def scenario(arena: Arena) -> None:
    watch = Watch(arena.stack)
    end = time.monotonic() + (SHORT_S if arena.minutes is None else 60 * arena.minutes)
    with watch, arena.load():
        while time.monotonic() < end:
            arena.calm(1, 3)
            harm = arena.chance.choice(["kill", "cut", "drain"])
            if harm == "kill":
                arena.inject.kill("worker")
            elif harm == "cut":
                arena.inject.cut_connections(arena.chance.choice(["normal", "pubsub"]))
            else:
                arena.inject.terminate("worker")
            arena.progress(f"{max(0.0, end - time.monotonic()):.0f} s left; {watch.last}")
    for name, said in watch.figures().items():
        arena.figure(name, said)
    if arena.minutes is not None:
        arena.expect(_logs_vanish(arena), "token logs are still there though their time is over")
        for sentence in watch.leaks():
            arena.expect(False, sentence)


def _logs_vanish(arena: Arena) -> bool:
    end = time.monotonic() + LOGS_LIVE_S
    with arena.redis() as client:
        while next(client.scan_iter("tok:*", count=1000), None) is not None:
            if time.monotonic() > end:
                return False
            time.sleep(1)
    return True


def test_nothing_is_lost_under_mixed_faults(arena: Arena) -> None:
    scenario(arena)
