"""Other numbers for the workers' autoscaler, to see what each is good for."""

from collections.abc import Iterator
from dataclasses import replace

from tests.load.hpa_simulation_manifest import Autoscaler, Policy, Target

QUEUE, BUSY = "drover_queue_depth", "drover_worker_busy_ratio"


def variants(scaler: Autoscaler) -> Iterator[tuple[str, Autoscaler]]:
    """The autoscaler as it is, then with one thing changed, in words."""
    yield "as it is", scaler
    yield "by the queue alone", replace(scaler, targets=_of(scaler, QUEUE))
    yield "by busy slots alone", replace(scaler, targets=_of(scaler, BUSY))
    for average in (4, 8, 32):
        yield f"{average} waiting jobs a pod", replace(scaler, targets=_with(scaler, QUEUE, average))
    for average in (0.5, 0.6, 0.8, 0.9):
        yield f"{average:.0%} of the slots busy", replace(scaler, targets=_with(scaler, BUSY, average))
    for window_s in (0, 60, 300, 900):
        yield f"down after {window_s} s", replace(scaler, down=replace(scaler.down, window_s=window_s))
    for window_s in (30, 60):
        yield f"up after {window_s} s", replace(scaler, up=replace(scaler.up, window_s=window_s))
    for policy in (Policy(False, 2, 60), Policy(False, 4, 60), Policy(True, 100, 60)):
        yield f"up by {_words(policy)}", replace(scaler, up=replace(scaler.up, policies=(policy,)))
    for policy in (Policy(False, 1, 60), Policy(True, 50, 60)):
        yield f"down by {_words(policy)}", replace(scaler, down=replace(scaler.down, policies=(policy,)))


def _words(policy: Policy) -> str:
    return f"{policy.value}{' %' if policy.is_percent else ''} in {policy.period_s} s"


def _of(scaler: Autoscaler, metric: str) -> tuple[Target, ...]:
    return tuple(target for target in scaler.targets if target.metric == metric)


def _with(scaler: Autoscaler, metric: str, average: float) -> tuple[Target, ...]:
    return tuple(replace(target, average=average) if target.metric == metric else target for target in scaler.targets)
