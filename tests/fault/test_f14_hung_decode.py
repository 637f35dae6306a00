"""F14: the decode of one worker hangs for ever while its process lives."""

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Sequence

from tests.fault.arena import Arena
from tests.fault.faults import Fault
from tests.fault.figures import Quantiles
from tests.fault.neighbour import neighbour
from tests.stack import wait_until

STALL_S = 1.0
HANGS_AFTER_STEPS = 80


def scenario(arena: Arena) -> None:
    gaps: list[float] = []
    for _ in arena.times(short=1, long=10):
        settings = {"WORKER_STALL_S": str(STALL_S), "WORKER_SIMULATED_HANG_AFTER_STEPS": str(HANGS_AFTER_STEPS)}
        with neighbour(arena.stack, "worker", settings) as hanging:
            with arena.load() as load:
                wait_until(lambda: not hanging.is_live(), "the extra worker says that it hangs", 60)
                arena.inject.note(Fault("hung decode", "worker", float("inf")))
                time.sleep(1)
            moved = set(arena.claims(load.received, more_than=1))
            gaps += [_longest(one.arrivals) for one in load.received if one.job_id in moved]
            with contextlib.suppress(ProcessLookupError):
                os.kill(hanging.pid, signal.SIGKILL)  # it could not drain
    arena.expect(gaps, "no job was in the worker that hung")
    arena.figure(f"pause of its jobs, stall limit {STALL_S} s (s)", Quantiles.of(gaps))


def _longest(arrivals: Sequence[float]) -> float:
    return max((after - before for before, after in itertools.pairwise(arrivals)), default=0.0)


def test_other_workers_finish_what_a_hanging_one_holds(arena: Arena) -> None:
    scenario(arena)
