from dataclasses import replace

import pytest

from k8s.check.manifest import Overlay
from tests.load.hpa_simulation import CASES, Case, autoscaler_of, scrape_s
from tests.load.hpa_simulation_controller import Controller, Seen, wanted_replicas
from tests.load.hpa_simulation_manifest import Autoscaler, Policy, Rules, Target
from tests.load.hpa_simulation_scenarios import flaps_of, noisy, of_shape, simulate
from tests.load.hpa_simulation_variants import QUEUE

QUEUE_TARGET = Target("queue", 10.0, per_pod=False)
BUSY_TARGET = Target("busy", 10.0, per_pod=True)
HALF_AN_HOUR_S = 1800
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.service}, {case.words}")


def scaler(*, up: Rules | None = None, down: Rules | None = None, target: Target = QUEUE_TARGET) -> Autoscaler:
    """From 1 to 20 pods; as fast as it goes unless `up` or `down` says otherwise."""
    at_once = Rules(0, (Policy(True, 10_000, 15),), chooses_max=True)
    all_at_once = Rules(0, (Policy(True, 100, 15),), chooses_max=True)
    return Autoscaler(1, 20, (target,), up or at_once, down or all_at_once)


def queue(length: float) -> Seen:
    return Seen({"queue": length}, {})


@pytest.mark.parametrize(("length", "replicas"), [(0, 0), (36, 4), (43, 4), (45, 5), (35, 4), (30, 3), (400, 40)])
def test_a_shared_metric_is_divided_by_its_target_unless_it_is_within_a_tenth(length: float, replicas: int) -> None:
    assert wanted_replicas(QUEUE_TARGET, queue(length), current=4) == replicas


@pytest.mark.parametrize(
    ("busy", "pending", "silent", "replicas"),
    [
        ([10.0, 10.0], 0, 0, 2),
        ([16.0, 14.0], 0, 0, 3),
        ([3.0, 4.0], 0, 0, 1),
        ([16.0, 14.0], 1, 0, 3),  # the new pod counts as idle: three are enough
        ([16.0, 14.0], 2, 0, 4),  # fewer than there are would do, but a fall is not what the metric says
        ([3.0, 4.0], 0, 1, 2),  # the one that says nothing counts as being at its target
        ([], 1, 0, None),
    ],
)
def test_pods_that_begin_count_with_care(busy: list[float], pending: int, silent: int, replicas: int | None) -> None:
    seen = Seen({}, {"busy": busy}, pending=pending, silent=silent)

    assert wanted_replicas(BUSY_TARGET, seen, current=len(busy) + pending + silent) == replicas


def test_the_larger_answer_of_two_metrics_counts() -> None:
    controller = Controller(replace(scaler(), targets=(QUEUE_TARGET, BUSY_TARGET)))

    assert controller.sync(0, Seen({"queue": 0}, {"busy": [15.0, 15.0, 15.0]}), 3) == 5


def test_a_metric_that_is_missing_keeps_what_there_is() -> None:
    controller = Controller(replace(scaler(), targets=(QUEUE_TARGET, BUSY_TARGET)))

    assert controller.sync(0, Seen({"queue": 10}, {}), 3) == 3
    assert controller.sync(15, Seen({"queue": 60}, {}), 3) == 6


def test_within_the_window_the_highest_recommendation_counts_for_going_down() -> None:
    down = Rules(60, (Policy(True, 100, 15),), chooses_max=True)
    controller = Controller(scaler(down=down))

    first = controller.sync(0, queue(80), 8)
    kept = [controller.sync(at_s, queue(20), 8) for at_s in (15, 30, 45)]

    assert (first, kept, controller.sync(60, queue(20), 8)) == (8, [8, 8, 8], 2)


def test_within_the_window_the_lowest_recommendation_counts_for_going_up() -> None:
    up = Rules(30, (Policy(True, 10_000, 15),), chooses_max=True)
    controller = Controller(scaler(up=up))

    assert [controller.sync(at_s, queue(length), 2) for at_s, length in ((0, 20), (15, 80), (30, 80))] == [2, 2, 8]


def test_policies_count_what_was_changed_within_their_period() -> None:
    up = Rules(0, (Policy(False, 4, 60), Policy(True, 100, 60)), chooses_max=True)
    controller = Controller(scaler(up=up))

    replicas, history = 2, []
    for at_s in range(0, 90, 15):
        replicas = controller.sync(at_s, queue(200), replicas)
        history.append(replicas)

    assert history == [6, 6, 6, 6, 12, 12]


def test_one_pod_at_a_time_goes() -> None:
    down = Rules(0, (Policy(False, 1, 60),), chooses_max=True)
    controller = Controller(scaler(down=down))

    replicas, history = 5, []
    for at_s in range(0, 135, 15):
        replicas = controller.sync(at_s, queue(0), replicas)
        history.append(replicas)

    assert history == [4, 4, 4, 4, 3, 3, 3, 3, 2]


def test_neither_more_than_the_most_nor_fewer_than_the_fewest() -> None:
    controller = Controller(scaler())

    assert controller.sync(0, queue(9000), 5) == 20
    assert controller.sync(15, queue(0), 5) == 1


def test_to_turn_once_is_no_flapping_and_to_turn_twice_is() -> None:
    follows = [2] * 60 + [5] * 60 + [2] * 60
    flaps = [*follows, *[5] * 60]
    slow = [2] * 60 + [5] * 1800 + [2] * 1800 + [5] * 60

    assert (flaps_of(follows), flaps_of(flaps), flaps_of(slow)) == (0, 1, 0)


@EVERY_CASE
def test_nothing_flaps_under_a_steady_or_a_noisy_load(case: Case, production: Overlay) -> None:
    autoscaler = autoscaler_of(production, case.service)

    for scenario in (of_shape("steady", case.users, HALF_AN_HOUR_S), noisy(case.users, HALF_AN_HOUR_S)):
        outcome = simulate(autoscaler, case.load, scenario, scrape_s=scrape_s(production))

        assert (outcome.flaps, outcome.moved) == (0, 0)
        assert outcome.changes <= 2  # it may find its size


@EVERY_CASE
def test_after_ten_times_the_load_nobody_waits_for_longer_than_a_pod_takes_to_be_ready(
    case: Case, production: Overlay
) -> None:
    autoscaler = autoscaler_of(production, case.service)
    scenario = of_shape("spike", case.users, 2 * HALF_AN_HOUR_S)

    outcome = simulate(autoscaler, case.load, scenario, scrape_s=scrape_s(production))

    assert outcome.recovery_s is not None
    assert outcome.recovery_s <= case.load.start_s + case.load.load_s + 30  # to see it, and to have served the queue
    assert outcome.flaps == 0


def test_by_the_queue_alone_busy_workers_would_be_called_superfluous(production: Overlay) -> None:
    """Why there are two metrics."""
    case = CASES[0]
    both = autoscaler_of(production, case.service)
    queue_alone = replace(both, targets=tuple(target for target in both.targets if target.metric == QUEUE))

    outcome = simulate(
        queue_alone, case.load, noisy(case.users, HALF_AN_HOUR_S), scrape_s=scrape_s(production), settled_by=both
    )

    assert outcome.flaps > 0
    assert outcome.moved > 0
