"""F11: an idle worker freezes, is given a hint, and dies with it."""

import time

from tests.fault.arena import Arena, LoadPlan

ONE_ROUND = LoadPlan(tokens=40)


def scenario(arena: Arena) -> None:
    repaired = arena.logged("worker", "hint_repaired")
    for _ in arena.times(short=2, long=20):
        arena.stack.wait_until_whole()
        with arena.inject.frozen("worker") as frozen, arena.load(ONE_ROUND):
            time.sleep(0.3)  # Redis has answered the frozen worker's waiting read with a hint by now
            arena.inject.kill_now(frozen)
    arena.stack.wait_until_whole()
    arena.figure("hints repaired", arena.logged("worker", "hint_repaired") - repaired)


def test_a_job_starts_elsewhere_though_its_hint_died_with_a_worker(arena: Arena) -> None:
    scenario(arena)
