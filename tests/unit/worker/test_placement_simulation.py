"""Many placement decisions together, in simulated time: nothing thrashes, nobody starves."""

import pytest

from tests.fakes.placement_world import World

MODELS = ["m0", "m1", "m2", "m3", "m4", "m5"]
ZIPF = [1 / rank for rank in range(1, 7)]


def skewed_traffic(world: World, jobs: int, per_s: float) -> None:
    for _ in range(jobs):
        world.arrive(world.random.choices(MODELS, ZIPF)[0])
        world.run(world.random.expovariate(per_s))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("per_s", [2.0, 8.0])
def test_six_models_share_three_workers_without_thrashing(seed: int, per_s: float) -> None:
    world = World(seed=seed)
    for name in "abc":
        world.join(name)

    skewed_traffic(world, 1200, per_s)
    world.run(60)

    assert world.jobs_done() == 1200
    assert len(world.loads) <= 30
    assert all(world.waits[model] for model in MODELS)
    assert max(max(waits) for waits in world.waits.values()) <= 20


@pytest.mark.parametrize("seed", range(3))
def test_rare_models_are_served_though_there_is_no_room_for_all(seed: int) -> None:
    world = World(seed=seed, room=1)
    for name in "abc":
        world.join(name)

    skewed_traffic(world, 1200, 4.0)
    world.run(120)

    assert world.jobs_done() == 1200
    assert len(world.loads) <= 400
    assert max(world.waits["m5"]) <= 40


def test_a_hot_pair_takes_turns_on_one_worker() -> None:
    world = World(room=1)
    world.join("a")

    for _ in range(600):
        world.arrive("m0")
        world.arrive("m1")
        world.run(1.0)
    world.run(60)

    assert world.jobs_done() == 1200
    assert len(world.loads) <= 600 / 4
    assert max(world.waits["m0"] + world.waits["m1"]) <= 30


def test_one_job_of_a_cold_model_is_served_beside_busy_hot_ones() -> None:
    world = World(room=2)
    world.join("a")
    for second in range(120):
        world.arrive("m0", 2)
        world.arrive("m1", 2)
        if second == 60:
            world.arrive("cold")
        world.run(1.0)

    assert len(world.waits["cold"]) == 1
    assert world.waits["cold"][0] <= 15


def test_a_model_that_its_holder_cannot_keep_up_with_gets_a_second_one() -> None:
    world = World()
    world.join("a")
    world.arrive("hot")
    world.run(3)
    world.join("b")

    for _ in range(30):
        world.arrive("hot", 6)
        world.run(1.0)

    assert world.holders("hot") == ["a", "b"]
    assert len(world.loads) == 2


def test_the_models_of_a_dead_worker_find_new_places() -> None:
    world = World()
    for name in "abc":
        world.join(name)
    skewed_traffic(world, 200, 4.0)
    world.run(10)
    assert all(world.holders(model) for model in MODELS)

    world.kill("a")
    loads = len(world.loads)
    skewed_traffic(world, 400, 2.0)
    world.run(60)

    assert world.jobs_done() == 600
    assert len(world.loads) - loads <= 200
    assert max(max(waits) for waits in world.waits.values()) <= 40


def test_a_worker_that_joins_takes_what_others_have_no_room_for() -> None:
    world = World(room=1)
    world.join("a")
    for _ in range(60):
        world.arrive("m0")
        world.arrive("m1")
        world.run(1.0)

    world.join("b")
    world.run(20)
    loads = len(world.loads)
    for _ in range(60):
        world.arrive("m0")
        world.arrive("m1")
        world.run(1.0)

    assert len(world.loads) - loads <= 2
    assert sorted(world.holders("m0") + world.holders("m1")) == ["a", "b"]
