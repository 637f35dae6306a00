"""F1: kill -9 of a random worker, again and again, under load."""

from tests.fault.arena import Arena


def scenario(arena: Arena) -> None:
    with arena.load():
        for _ in arena.times(short=3, long=100):
            arena.calm(1.5, 3)
            arena.inject.kill("worker")


def test_streams_are_exact_though_workers_are_killed(arena: Arena) -> None:
    scenario(arena)
