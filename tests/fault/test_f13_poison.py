"""F13: a request that kills whichever worker decodes it, among innocent ones in the same workers."""

from concurrent.futures import ThreadPoolExecutor

from tests.fault.arena import Arena, LoadPlan
from tests.fault.client import Asked, Received
from tests.fault.ground import POISON

CROWD = LoadPlan(streams=16, tokens=200)


def scenario(arena: Arena) -> None:
    for number in arena.times(short=1, long=5):
        arena.stack.wait_until_whole()
        with arena.load(CROWD), ThreadPoolExecutor(1) as pool:
            poisoned = pool.submit(_drink, arena, number).result()
        arena.allow_dead(poisoned.job_id)
        error = poisoned.error or {}
        arena.expect(error, f"the poisoned request did not end with an error: {poisoned.refusals[-1:]}")
        arena.figure("the poisoned request's error", error.get("code") or error.get("message"))
        arena.figure("claims of the poisoned job", arena.claims_of(poisoned.job_id))


def _drink(arena: Arena, number: int) -> Received:
    return arena.client().stream(Asked(POISON, 50, f"{arena.name}-{arena.seed}-{number}-{arena.begun}"))


def test_a_poisonous_request_dies_alone(arena: Arena) -> None:
    scenario(arena)
