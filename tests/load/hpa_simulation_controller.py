"""The horizontal pod autoscaler's algorithm, as kube-controller-manager runs it every 15 s.

Source: pkg/controller/podautoscaler (horizontal.go, replica_calculator.go) of Kubernetes, and its documentation,
"Horizontal Pod Autoscaling", sections "Algorithm details" and "Configurable scaling behavior".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.load.hpa_simulation_manifest import Autoscaler, Rules, Target

SYNC_S = 15.0
"""--horizontal-pod-autoscaler-sync-period's default."""

TOLERANCE = 0.1
"""--horizontal-pod-autoscaler-tolerance's default."""


@dataclass(frozen=True)
class Seen:
    """What the metrics API answers: a metric's sum, and its value for each running pod that has been scraped.

    `pending`: pods without a running container; `silent`: running ones that have no metrics yet.
    """

    sums: Mapping[str, float]
    by_pod: Mapping[str, list[float]]
    pending: int = 0
    silent: int = 0


def wanted_replicas(target: Target, seen: Seen, current: int) -> int | None:
    """What one metric asks for; None when there is no metric."""
    if target.per_pod:
        return _from_pods(target, seen, current)
    if target.metric not in seen.sums:
        return None
    total = seen.sums[target.metric]
    if abs(1 - total / (target.average * current)) <= TOLERANCE:
        return current
    return math.ceil(total / target.average)


def _from_pods(target: Target, seen: Seen, current: int) -> int | None:
    """Pods without metrics count as idle when scaling up, and as being at their target when scaling down."""
    values = list(seen.by_pod.get(target.metric, []))
    if not values:
        return None
    ratio = sum(values) / len(values) / target.average
    is_up = ratio > 1
    if not (seen.pending and is_up) and not seen.silent:
        return current if abs(1 - ratio) <= TOLERANCE else math.ceil(ratio * len(values))
    values += [0.0 if is_up else target.average] * seen.silent
    if is_up:
        values += [0.0] * seen.pending
    careful = sum(values) / len(values) / target.average
    if abs(1 - careful) <= TOLERANCE or (ratio < 1) != (careful < 1):
        return current
    wanted = math.ceil(careful * len(values))
    return current if (careful < 1 and wanted > current) or (careful > 1 and wanted < current) else wanted


@dataclass
class Controller:
    """One autoscaler and what it remembers: its own recommendations, and what was changed when."""

    autoscaler: Autoscaler
    recommendations: list[tuple[float, int]] = field(default_factory=list)
    changes: list[tuple[float, int]] = field(default_factory=list)

    def sync(self, now_s: float, seen: Seen, current: int) -> int:
        """How many replicas there are to be from now on."""
        scaler = self.autoscaler
        proposals = [wanted_replicas(target, seen, current) for target in scaler.targets]
        known = [proposal for proposal in proposals if proposal is not None]
        if not known or (None in proposals and max(known) < current):
            return current
        desired = self._stabilized(now_s, max(known), current)
        desired = min(desired, scaler.max_replicas, max(current, self._limit(now_s, current, scaler.up, sign=1)))
        desired = max(desired, scaler.min_replicas, min(current, self._limit(now_s, current, scaler.down, sign=-1)))
        if desired != current:
            self.changes.append((now_s, desired - current))
        return desired

    def _stabilized(self, now_s: float, wanted: int, current: int) -> int:
        """Not above the lowest that was wanted within the window for going up, not below the highest for going down."""
        up = down = wanted
        for at_s, recommendation in self.recommendations:
            if at_s > now_s - self.autoscaler.up.window_s:
                up = min(up, recommendation)
            if at_s > now_s - self.autoscaler.down.window_s:
                down = max(down, recommendation)
        longest_s = max(self.autoscaler.up.window_s, self.autoscaler.down.window_s)
        self.recommendations = [made for made in self.recommendations if made[0] > now_s - longest_s]
        self.recommendations.append((now_s, wanted))
        return min(max(current, up), down)

    def _limit(self, now_s: float, current: int, rules: Rules, *, sign: int) -> int:
        """How far the policies let it go up (`sign` 1) or down (-1), counted from the beginning of their periods."""
        limits = []
        for policy in rules.policies:
            start = current - sum(change for at_s, change in self.changes if at_s > now_s - policy.period_s)
            if not policy.is_percent:
                limits.append(start + sign * policy.value)
            elif sign > 0:
                limits.append(math.ceil(start * (1 + policy.value / 100)))
            else:
                limits.append(int(start * (1 - policy.value / 100)))
        goes_far = rules.chooses_max == (sign > 0)
        return max(limits) if goes_far else min(limits)
