"""F4: kill -9 of Redis, which has its append-only file; no worker ends, no model is loaded again."""

from tests.fault.arena import Arena


def scenario(arena: Arena) -> None:
    pids, loads = set(arena.stack.pids("worker")), arena.logged("worker", "model_preloaded")

    with arena.load():
        for _ in arena.times(short=3, long=20):
            arena.sleep(1.5, 4)
            arena.inject.kill("redis")

    arena.expect(set(arena.stack.pids("worker")) == pids, "a worker's process ended with Redis")
    arena.expect(arena.logged("worker", "model_preloaded") == loads, "a model was loaded again")


def test_no_accepted_job_is_lost_though_redis_is_killed(arena: Arena) -> None:
    scenario(arena)
