"""F10: the broker drops hints, delivers them three times, or ten seconds late."""

import time
from typing import get_args

from tests.fault.arena import Arena, LoadPlan
from tests.fault.faults import Fault
from tests.fault.figures import Quantiles
from tests.fault.hint_thief import DELAY_S, HintThief, Mode
from tests.fault.neighbour import neighbour

SHORT_STREAMS = LoadPlan(tokens=60)


def scenario(arena: Arena) -> None:
    with (
        HintThief(arena.stack.redis_url) as thief,
        neighbour(arena.stack, "gateway", {"CELERY_BROKER_URL": thief.gateways_broker_url}) as gateway,
    ):
        arena.gateways = lambda: [gateway.url]
        for mode in get_args(Mode):
            thief.mode = mode
            with arena.load(SHORT_STREAMS) as load:
                time.sleep(arena.seconds(2, 30))
            first = [received.arrivals[0] - received.accepted_at for received in load.received]
            arena.figure(f"{mode}: first token p50 / p95 / max (s)", Quantiles.of(first))
            for _ in range(thief.stolen):
                arena.inject.note(Fault(mode, "hint", float("inf")))
            thief.stolen = 0
            again = arena.claims(load.received, more_than=1)
            arena.expect(not again, f"{mode}: {len(again)} jobs were claimed more than once")
        time.sleep(DELAY_S)  # the late hints come for jobs that have ended
    arena.gateways = lambda: arena.stack.gateways


def test_every_job_runs_once_though_its_hint_is_dropped_tripled_or_late(arena: Arena) -> None:
    scenario(arena)
