"""What one worker decides, seen from its own place."""

from collections.abc import Mapping

import pytest

from worker.placement_plan import (
    BEHIND_FOR_S,
    MAX_LOADS,
    STARVED_S,
    TURN_S,
    Held,
    Place,
    Plan,
    Planner,
    Wanted,
    is_hopeless,
)

LONG = 1000.0


def place(worker: str = "me", held: Mapping[str, Held] | None = None, **fields: object) -> Place:
    values = {"slots": 4, "busy_slots": 0, "free_bytes": 0, "budget_bytes": 100} | fields
    return Place(worker, held or {}, **values)  # type: ignore[arg-type]


def wanted(model: str = "m", *, age_s: float = 0.1, depth: int = 1, **fields: object) -> Wanted:
    return Wanted(model, depth, age_s, **({"needed_bytes": 50} | fields))  # type: ignore[arg-type]


def decide_at(times: list[float], one: Wanted, *places: Place, me: str = "me") -> Plan | None:
    planner = Planner(me)
    plans = [planner.decide(now, [one], places) for now in times]
    return plans[-1]


def test_a_model_that_nobody_holds_is_loaded_at_once_where_room_is_free() -> None:
    assert decide_at([0], wanted(), place(free_bytes=50)) == Plan("m")


def test_nothing_is_done_for_a_model_that_is_held_or_loading() -> None:
    assert decide_at([0], wanted(), place(free_bytes=50), place("other", {"m": Held(50)})) is None
    assert decide_at([0], wanted(), place(free_bytes=50), place("other", loading=frozenset({"m"}))) is None


def test_the_models_of_a_draining_worker_count_for_nothing() -> None:
    other = place("other", {"m": Held(50)}, is_draining=True)

    assert decide_at([0], wanted(), place(free_bytes=50), other) == Plan("m")
    assert decide_at([0, LONG], wanted(), place(free_bytes=50, is_draining=True)) is None


def test_the_worker_with_free_room_goes_first_and_the_next_one_after_its_turn() -> None:
    free, full = place("free", free_bytes=50), place("full", {"old": Held(60)})

    assert decide_at([0], wanted(), free, full, me="free") == Plan("m")
    assert decide_at([0], wanted(), free, full, me="full") is None
    assert decide_at([0, TURN_S], wanted(), free, full, me="full") == Plan("m", ("old",))


def test_all_workers_agree_who_goes_first() -> None:
    places = [place(name, free_bytes=50) for name in "abc"]

    plans = [decide_at([0], wanted(), *places, me=name) for name in "abc"]

    assert plans.count(Plan("m")) == 1


def test_the_oldest_queue_comes_first() -> None:
    planner = Planner("me")

    plan = planner.decide(0, [wanted("young"), wanted("old", age_s=3)], [place(free_bytes=50)])

    assert plan == Plan("old")


def test_the_least_recently_used_idle_model_leaves() -> None:
    held = {"first": Held(50), "second": Held(50)}

    assert decide_at([0], wanted(), place(held=held)) == Plan("m", ("first",))


def test_a_model_that_another_worker_holds_too_leaves_before_a_sole_copy() -> None:
    held = {"first": Held(50), "second": Held(50)}

    plan = decide_at([0, TURN_S], wanted(), place(held=held), place("other", {"second": Held(50)}, budget_bytes=10))

    assert plan == Plan("m", ("second",))


def test_no_more_models_leave_than_must() -> None:
    held = {"small": Held(10), "large": Held(60)}

    assert decide_at([0], wanted(), place(held=held)) == Plan("m", ("large",))


@pytest.mark.parametrize(
    "kept",
    [
        Held(60, is_pinned=True),
        Held(60, kept_s=0.5),
        Held(60, kept_s=10, load_s=20),
        Held(60, running=1, kept_s=4),
        Held(60, running=1, kept_s=30, load_s=20),
    ],
)
def test_pinned_and_fresh_models_stay(kept: Held) -> None:
    assert decide_at([0, LONG], wanted(), place(held={"kept": kept}, budget_bytes=120)) is None


def test_a_busy_model_leaves_only_for_one_that_has_starved() -> None:
    busy = place(held={"busy": Held(60, running=2)})

    assert decide_at([0], wanted(), busy) is None
    assert decide_at([0, STARVED_S], wanted(), busy) == Plan("m", ("busy",))


def test_a_further_copy_in_use_leaves_at_once() -> None:
    busy = place(held={"busy": Held(60, running=2)})

    plan = decide_at([0], wanted(), busy, place("other", {"busy": Held(60, running=9)}, budget_bytes=10))

    assert plan == Plan("m", ("busy",))


def test_the_least_wanted_busy_model_leaves() -> None:
    planner = Planner("me")
    busy = place(held={"hot": Held(50, running=2), "warm": Held(50, running=3)})
    queue = [wanted(age_s=3), wanted("hot", depth=9, age_s=1)]

    planner.decide(0, queue, [busy])

    assert planner.decide(STARVED_S, queue, [busy]) == Plan("m", ("warm",))


def test_a_second_copy_is_loaded_where_slots_are_free_when_the_holder_stays_behind() -> None:
    holder = place("holder", {"m": Held(50, running=4)}, busy_slots=4)
    behind = wanted(age_s=3, depth=20)

    assert decide_at([0], behind, holder, place(free_bytes=50)) is None
    assert decide_at([0, BEHIND_FOR_S], behind, holder, place(free_bytes=50)) == Plan("m")
    assert decide_at([0, LONG], behind, holder, place(free_bytes=50, busy_slots=4)) is None
    assert decide_at([0, LONG], wanted(age_s=1), holder, place(free_bytes=50)) is None


def test_a_second_copy_takes_no_place_that_was_used_lately() -> None:
    holder = place("holder", {"m": Held(50, running=4)}, busy_slots=4)
    behind = wanted(age_s=3)

    assert decide_at([0, LONG], behind, holder, place(held={"a": Held(60, idle_s=5)})) is None
    assert decide_at([0, LONG], behind, holder, place(held={"a": Held(60, idle_s=15)})) == Plan("m", ("a",))


def test_a_worker_does_not_load_what_it_is_giving_up() -> None:
    assert decide_at([0, LONG], wanted(), place(free_bytes=50, leaving=frozenset({"m"}))) is None


def test_a_worker_loads_only_so_many_at_a_time() -> None:
    loading = frozenset(f"l{index}" for index in range(MAX_LOADS))

    assert decide_at([0, LONG], wanted(), place(free_bytes=50, loading=loading)) is None


def test_a_worker_that_could_not_load_it_leaves_it_to_others() -> None:
    refused = wanted(refused_by=frozenset({"me"}))

    assert decide_at([0, LONG], refused, place(free_bytes=50)) is None
    assert decide_at([0], refused, place(free_bytes=50), place("other", free_bytes=50), me="other") == Plan("m")


def test_a_model_is_hopeless_when_no_worker_could_load_it() -> None:
    small, large = place("small", budget_bytes=10), place("large")

    assert is_hopeless(wanted(), [small])
    assert not is_hopeless(wanted(), [small, large])
    assert is_hopeless(wanted(refused_by=frozenset({"large"})), [small, large])
    assert is_hopeless(wanted(), [place(held={"pinned": Held(60, is_pinned=True)})])
    assert not is_hopeless(wanted(refused_by=frozenset({"me"})), [place(held={"m": Held(50)})])
    assert not is_hopeless(wanted(), [])
