"""An autoscaler as its rendered manifest says it: metrics, targets, behaviour."""

from dataclasses import dataclass
from typing import Any

from k8s.check.manifest import Manifest

DEFAULT_DOWN_WINDOW_S = 300
_KINDS = {"Object": "object", "Pods": "pods", "External": "external"}


@dataclass(frozen=True)
class Policy:
    """So many pods, or so many percent of them, within any `period_s`."""

    is_percent: bool
    value: int
    period_s: int


@dataclass(frozen=True)
class Rules:
    """One direction. `chooses_max`: whether the policy that changes most counts, or the one that changes least."""

    window_s: int
    policies: tuple[Policy, ...]
    chooses_max: bool


@dataclass(frozen=True)
class Target:
    """A metric and what a pod should have of it; `per_pod`: whether it is read from the pods or shared out to them."""

    metric: str
    average: float
    per_pod: bool


@dataclass(frozen=True)
class Autoscaler:
    """Everything that Kubernetes knows about scaling one workload."""

    min_replicas: int
    max_replicas: int
    targets: tuple[Target, ...]
    up: Rules
    down: Rules


def read_autoscaler(manifest: Manifest) -> Autoscaler:
    """From an autoscaling/v2 HorizontalPodAutoscaler whose metrics are average values."""
    spec = manifest.spec
    return Autoscaler(
        spec["minReplicas"],
        spec["maxReplicas"],
        tuple(_target(metric) for metric in spec["metrics"]),
        _rules(spec["behavior"]["scaleUp"], default_window_s=0),
        _rules(spec["behavior"]["scaleDown"], default_window_s=DEFAULT_DOWN_WINDOW_S),
    )


def _target(metric: dict[str, Any]) -> Target:
    given = metric[_KINDS[metric["type"]]]
    return Target(given["metric"]["name"], quantity(given["target"]["averageValue"]), metric["type"] == "Pods")


def quantity(text: str) -> float:
    """A number as the API writes it: 12, 0.7 or 700m."""
    return float(text.removesuffix("m")) / 1000 if text.endswith("m") else float(text)


def _rules(given: dict[str, Any], *, default_window_s: int) -> Rules:
    policies = tuple(
        Policy(policy["type"] == "Percent", policy["value"], policy["periodSeconds"]) for policy in given["policies"]
    )
    window_s = given.get("stabilizationWindowSeconds", default_window_s)
    return Rules(window_s, policies, given.get("selectPolicy", "Max") == "Max")
