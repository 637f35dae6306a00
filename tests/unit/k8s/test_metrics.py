from collections.abc import Callable
from typing import Any

import pytest

from k8s.check.manifest import Overlay
from k8s.check.metrics import adapter_rules, check_metrics, expression_of


def test_whatever_is_named_is_exported(each_overlay: Overlay) -> None:
    assert check_metrics(each_overlay) == []


def test_the_queues_of_several_gateways_are_not_added_up() -> None:
    expression = expression_of(adapter_rules()["drover_queue_depth"], "service")

    assert expression == (
        'sum by (service) (max by (service, queue) (drover_queue_depth{namespace="drover",service="x"}))'
    )


def test_the_adapters_rules_are_those_that_an_autoscaler_asks_for(production: Overlay) -> None:
    asked = {
        metric[kind]["metric"]["name"]
        for scaler in production.of_kind("HorizontalPodAutoscaler")
        for metric in scaler.spec["metrics"]
        for kind in ("object", "pods")
        if kind in metric
    }

    assert asked == set(adapter_rules())


@pytest.mark.parametrize(
    ("overlay_name", "kind", "name", "change", "words"),
    [
        (
            "production",
            "HorizontalPodAutoscaler",
            "worker",
            lambda data: data["spec"]["metrics"][0]["object"]["metric"].update(name="drover_queue_length"),
            "adapter-values.yaml has no rule for drover_queue_length",
        ),
        (
            "production",
            "HorizontalPodAutoscaler",
            "gateway",
            lambda data: data["spec"]["scaleTargetRef"].update(name="worker"),
            "worker does not export drover_streams_active",
        ),
        (
            "staging",
            "ScaledObject",
            "worker",
            lambda data: data["spec"]["triggers"][0]["metadata"].update(query="sum(drover_queue_length)"),
            "nobody exports drover_queue_length",
        ),
        (
            "staging",
            "ScaledObject",
            "worker",
            lambda data: data["spec"]["triggers"][0]["metadata"].update(query="max by (model) (drover_queue_depth)"),
            "has no label model",
        ),
        (
            "staging",
            "ScaledObject",
            "worker",
            lambda data: data["spec"]["triggers"][0]["metadata"].update(query="sum(drover_queue_depth)"),
            "counts another namespace",
        ),
        (
            "production",
            "PrometheusRule",
            "drover",
            lambda data: data["spec"]["groups"][0]["rules"][0].update(expr="drover_tokens > 1"),
            "nobody exports drover_tokens",
        ),
        (
            "production",
            "ConfigMap",
            "dashboard-overview",
            lambda data: data["data"].update({"overview.json": '{"targets": [{"expr": "rate(drover_token[5m])"}]}'}),
            "dashboard overview.json: nobody exports drover_token",
        ),
    ],
)
def test_a_name_that_nobody_exports_is_told(
    request: pytest.FixtureRequest,
    changed: Callable[..., Overlay],
    overlay_name: str,
    kind: str,
    name: str,
    change: Callable[[dict[str, Any]], object],
    words: str,
) -> None:
    found: Overlay = request.getfixturevalue(overlay_name)

    problems = check_metrics(changed(found, kind, name, change))

    assert any(words in problem for problem in problems), problems
