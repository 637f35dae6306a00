"""Drives one load run with Locust, and collects what it measures. To import this makes the process gevent's."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import gevent
from locust import LoadTestShape
from locust.env import Environment

from cli.bench.outcome import Outcome
from cli.bench.summary import Summary
from tests.load.queue_watch import queue_depth
from tests.load.shapes import Shape
from tests.load.timeline import Timeline
from tests.load.users import Habits, person_of

_SPAWN_PER_S = 100
"""As fast as Locust spawns without complaint: a spike must be one."""
_WATCH_S = 1.0


@dataclass(frozen=True)
class Plan:
    """One run. `metrics_url` is '' where there is no queue to watch."""

    habits: Habits
    shape: Shape
    users: int
    duration_s: float
    metrics_url: str = ""


@dataclass
class Run:
    """What a run has come to; `by_workload` holds those workloads of which at least one request has ended."""

    plan: Plan
    timeline: Timeline
    whole: Summary = field(default_factory=Summary)
    by_workload: dict[str, Summary] = field(default_factory=dict)
    is_interrupted: bool = False

    def add(self, workload: str, outcome: Outcome) -> None:
        self.whole.add(outcome)
        self.by_workload.setdefault(workload, Summary()).add(outcome)
        self.timeline.add(outcome)


def drive(plan: Plan, say: Callable[[str], None]) -> Run:
    """Run the plan to its end, or to Ctrl-C; says every few seconds how it is getting on."""
    run = Run(plan, Timeline(time.monotonic(), plan.duration_s))
    environment = Environment(
        user_classes=[person_of(plan.habits)],
        shape_class=_shape_of(plan),
        stop_timeout=plan.habits.timeout_s,  # a user who is to go reads the running answer to its end
    )
    environment.events.request.add_listener(lambda name, outcome, **_: run.add(name, outcome))
    runner = environment.create_local_runner()
    watching = gevent.spawn(_watch, run, runner, say)
    runner.start_shape()
    try:
        runner.shape_greenlet.join()
    except KeyboardInterrupt:
        run.is_interrupted = True
        environment.stop_timeout = 0.0
    watching.kill()
    runner.quit()
    return run


def _shape_of(plan: Plan) -> LoadTestShape:
    class Following(LoadTestShape):  # type: ignore[misc]  # locust's base is untyped under strict
        def tick(self) -> tuple[int, float] | None:
            users = plan.shape.users_at(self.get_run_time(), plan.duration_s, plan.users)
            return None if users is None else (users, _SPAWN_PER_S)

    return Following()


def _watch(run: Run, runner: Any, say: Callable[[str], None]) -> None:
    """Note the users and the queues every second, and say how it goes every five."""
    begun_s = time.monotonic()
    for second in count():
        depth = queue_depth(run.plan.metrics_url) if run.plan.metrics_url else None
        run.timeline.note(time.monotonic(), runner.user_count, depth)
        if second % 5 == 4:
            summary = run.whole
            words = f"{time.monotonic() - begun_s:4.0f} s, {runner.user_count} users, {summary.requests} requests"
            queued = "" if depth is None else f", {depth:.0f} queued"
            say(f"{words}, {summary.errors.total()} errors, {summary.tokens_per_s:.0f} tokens/s{queued}")
        gevent.sleep(_WATCH_S)
