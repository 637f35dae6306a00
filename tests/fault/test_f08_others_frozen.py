"""F8: a gateway, Redis and Postgres are frozen for seconds: nothing is lost, no 200 is false."""

import time

from tests.fault.arena import Arena


def scenario(arena: Arena) -> None:
    with arena.load():
        for _ in arena.times(short=1, long=5):
            for role, frozen_s in (
                ("gateway", arena.seconds(7, 20)),
                ("redis", 5.0),
                ("postgres", arena.seconds(4, 10)),
            ):
                arena.sleep(0.5, 1.5)
                with arena.inject.frozen(role):
                    time.sleep(frozen_s)


def test_nothing_is_lost_though_gateway_redis_and_postgres_freeze(arena: Arena) -> None:
    scenario(arena)
