"""F9: Redis closes all its connections, ordinary and pub/sub ones, every half second."""

from tests.fault.arena import Arena


def scenario(arena: Arena) -> None:
    before = arena.metric("gateway", "drover_gap_repaired_total")
    with arena.load():
        for number in arena.times(short=10, long=200):
            arena.sleep(0.4, 0.6)
            arena.inject.cut_connections("pubsub" if number % 2 else "normal")
    repaired = arena.metric("gateway", "drover_gap_repaired_total") - before
    arena.figure("gaps repaired", int(repaired))
    arena.expect(repaired > 0, "no gap was repaired: the cuts hit nothing")


def test_streams_are_exact_though_redis_connections_are_cut(arena: Arena) -> None:
    scenario(arena)
