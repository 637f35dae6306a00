"""F5: Redis is down for half a minute: new requests are refused at once, running ones go on or end with one error."""

import random
import time

from tests.fault.arena import Arena, LoadPlan
from tests.fault.client import Asked
from tests.fault.figures import Quantiles

MAY_FAIL = LoadPlan(may_fail=True)


def scenario(arena: Arena) -> None:
    refusals: list[tuple[int, float]] = []
    with arena.load(MAY_FAIL):
        for number in arena.times(short=1, long=3):
            arena.sleep(0.5, 1.5)
            with arena.inject.down("redis"):
                refusals += _ask_for(arena, arena.seconds(4, 30), number)
            back = time.monotonic()
            answer = arena.client().stream(Asked("Are you back?", 10, f"back-{arena.seed}-{number}-{back}"))
            arena.expect(answer.is_complete, f"no answer after Redis came back: {answer.error or answer.refusals[-1:]}")
            arena.figure("first answer after its return (s)", round(time.monotonic() - back, 1))
    wrong = [status for status, _ in refusals if status != 503]
    arena.expect(not wrong, f"new requests were answered with {sorted(set(wrong))} while Redis was away")
    arena.figure("503 while away, p50 / p95 / max (s)", Quantiles.of(seconds for _, seconds in refusals))


def _ask_for(arena: Arena, seconds: float, number: int) -> list[tuple[int, float]]:
    """One new request after another for that long; status and time of each answer."""
    refusals = []
    client, end = arena.client(random.Random(arena.seed)), time.monotonic() + seconds
    while (left_s := end - time.monotonic()) > 0.5:
        asked = Asked("Is anybody there?", 10, f"away-{arena.seed}-{number}-{left_s}")
        refusals += client.stream(asked, timeout_s=0.01).refusals
    return refusals


def test_new_requests_are_refused_and_running_ones_end_though_redis_is_away(arena: Arena) -> None:
    scenario(arena)
