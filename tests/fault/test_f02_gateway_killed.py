"""F2: kill -9 of a random gateway; its clients resume with Last-Event-ID on another."""

from tests.fault.arena import Arena


def scenario(arena: Arena) -> None:
    with arena.load():
        for _ in arena.times(short=3, long=60):
            arena.calm(1, 2.5)
            arena.inject.kill("gateway")
    cuts = sum(received.cuts for received in arena.received)
    arena.expect(cuts, "no stream was cut: the kills hit nothing")


def test_streams_are_exact_though_gateways_are_killed(arena: Arena) -> None:
    scenario(arena)
