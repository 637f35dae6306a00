"""An autoscaler over a load: what it did, and how long users waited."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from tests.load.hpa_simulation_controller import SYNC_S, Controller, Seen
from tests.load.hpa_simulation_fleet import Fleet, Workload
from tests.load.hpa_simulation_manifest import Autoscaler, Target
from tests.load.shapes import SHAPES

UsersAt = Callable[[float], int]
"""How many users there are at a second of the run."""

SAMPLE_S = 2.0
"""gateway/ledger_gauges.py looks at the queues so often."""

CALM_S = 60.0
"""A step is over when nobody has waited for so long, in seconds."""

FLAP_WINDOW_S = 900.0
"""Two changes of direction within this are flapping."""


@dataclass(frozen=True)
class Scenario:
    """`users_at` for `duration_s`. `step_s`: when the load jumps, if it does. `is_settled`: whether the fleet is as
    large as the load needs from the beginning on, and not as small as it may be."""

    name: str
    users_at: UsersAt
    duration_s: int
    step_s: float | None = None
    is_settled: bool = False


@dataclass(frozen=True)
class Outcome:
    """`changes` of the number of replicas; `flaps`: see `flaps_of`; `recovery_s`: from the step until nobody waits any
    more; `moved`: requests that went on at another pod, because theirs had to go."""

    replicas: list[int]
    changes: int
    flaps: int
    recovery_s: float | None
    longest_queue: int
    wait_p95_s: float
    moved: int

    @property
    def pod_hours(self) -> float:
        return sum(self.replicas) / 3600


def of_shape(name: str, users: int, duration_s: int) -> Scenario:
    """One of the load generator's, stretched to `duration_s`."""
    shape = SHAPES[name]
    jump = next((second for second in range(1, duration_s) if shape.users_at(second, duration_s, users) == users), 0)
    return Scenario(
        name,
        lambda at_s: shape.users_at(at_s, duration_s, users) or 0,
        duration_s,
        step_s=float(jump) if name == "spike" else None,
        is_settled=name == "steady",
    )


def noisy(users: int, duration_s: int) -> Scenario:
    """The steady shape with a third more and less of it, in waves of four minutes and of one."""

    def users_at(at_s: float) -> int:
        wave = 0.2 * math.sin(2 * math.pi * at_s / 240) + 0.13 * math.sin(2 * math.pi * at_s / 67)
        return max(1, round(users * (1 + wave)))

    return Scenario("noisy", users_at, duration_s, is_settled=True)


@dataclass
class Watch:
    """Notes how a run goes, second by second."""

    scenario: Scenario
    replicas: list[int] = field(default_factory=list)
    longest_queue: int = 0
    recovery_s: float | None = None
    _calm_since: float | None = None

    def look(self, now_s: float, queue: int, replicas: int) -> None:
        self.replicas.append(replicas)
        self.longest_queue = max(self.longest_queue, queue)
        if queue:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now_s
        step_s = self.scenario.step_s
        if step_s is None or self._calm_since is None or self.recovery_s is not None or now_s <= step_s:
            return
        begins_s = max(self._calm_since, step_s)
        if now_s - begins_s >= CALM_S:
            self.recovery_s = begins_s - step_s


def simulate(
    autoscaler: Autoscaler,
    load: Workload,
    scenario: Scenario,
    *,
    scrape_s: float,
    seed: int = 7,
    settled_by: Autoscaler | None = None,
) -> Outcome:
    """Run it. `scrape_s`: how often Prometheus looks; `settled_by`: whose targets a settled fleet has at first, if not
    its own."""
    fleet = Fleet(load, _first_replicas(settled_by or autoscaler, load, scenario), seed)
    controller, watch = Controller(autoscaler), Watch(scenario)
    sampled, scraped = 0, Seen({}, {})
    for second in range(scenario.duration_s):
        fleet.step(second, scenario.users_at(second))
        queue = len(fleet.waiting) * load.weight
        if second % SAMPLE_S == 0:
            sampled = queue
        if second % scrape_s == 0:
            scraped = _scrape(fleet, second, sampled)
        if second % SYNC_S == 0:
            fleet.scale(second, controller.sync(second, scraped, len(fleet.pods)))
        watch.look(second, queue, len(fleet.pods))
    waits = sorted(fleet.waits_s) or [0.0]
    return Outcome(
        watch.replicas,
        sum(before != after for before, after in pairwise(watch.replicas)),
        flaps_of(watch.replicas),
        watch.recovery_s,
        watch.longest_queue,
        waits[int(0.95 * (len(waits) - 1))],
        fleet.moved * load.weight,
    )


def _first_replicas(autoscaler: Autoscaler, load: Workload, scenario: Scenario) -> int:
    if not scenario.is_settled:
        return autoscaler.min_replicas
    busy = scenario.users_at(0) * load.service_s / (load.service_s + load.think_s)
    target = min(_slots_at(target, load) for target in autoscaler.targets if target.per_pod)
    return min(autoscaler.max_replicas, max(autoscaler.min_replicas, math.ceil(busy / target)))


def _slots_at(target: Target, load: Workload) -> float:
    """How many simulated requests a pod has when it is at its target."""
    return target.average * load.slots if target.metric.endswith("_ratio") else target.average / load.weight


def flaps_of(history: list[int]) -> int:
    """How often the number of replicas, one a second, turned round and round again within FLAP_WINDOW_S.

    To turn once is to follow the load; to turn twice is to undo what was just done.
    """
    flaps, direction, turned_at = 0, 0, float("-inf")
    for second, (before, after) in enumerate(pairwise(history)):
        if before == after:
            continue
        if (direction_now := 1 if after > before else -1) == -direction:
            flaps += second - turned_at < FLAP_WINDOW_S
            turned_at = second
        direction = direction_now
    return flaps


def _scrape(fleet: Fleet, now_s: float, queue: int) -> Seen:
    """What Prometheus has after a look at every pod whose container runs, and what the adapter makes of it."""
    load = fleet.load
    running = [pod for pod in fleet.pods if pod.runs(now_s, load)]
    ready = sum(pod.is_ready(now_s, load) for pod in running)
    busy = [float(len(pod.running) * load.weight) for pod in running]
    in_flight = [
        value + (queue / ready if pod.is_ready(now_s, load) else 0) for value, pod in zip(busy, running, strict=True)
    ]
    ratio = [value / (load.slots * load.weight) for value in busy]
    by_pod = {
        "drover_worker_busy_ratio": ratio,
        "drover_streams_active": busy,
        "drover_embeddings_in_flight": in_flight,
    }
    return Seen({"drover_queue_depth": queue}, by_pod, pending=len(fleet.pods) - len(running))
