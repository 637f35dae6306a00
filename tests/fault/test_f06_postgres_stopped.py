"""F6: immediate stops of Postgres, and an outage of a minute: no stream is interrupted, each turn has its message."""

import time

from tests.fault.arena import Arena


def scenario(arena: Arena) -> None:
    with arena.load():
        for _ in arena.times(short=2, long=10):
            arena.sleep(1, 3)
            arena.inject.interrupt_postgres()
        arena.sleep(1, 2)
        with arena.inject.down("postgres"):
            time.sleep(arena.seconds(4, 60))
    cuts = sum(received.cuts for received in arena.received)
    arena.expect(cuts == 0, f"{cuts} streams were cut though only Postgres was away")
    arena.figure("streams told persisted:false", sum(not received.is_persisted for received in arena.received))


def test_streams_go_on_and_each_turn_has_one_message_though_postgres_stops(arena: Arena) -> None:
    scenario(arena)
