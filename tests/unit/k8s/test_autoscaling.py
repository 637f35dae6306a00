from typing import Any

import pytest

from k8s.check.environment import settings_of
from k8s.check.manifest import Manifest, Overlay
from k8s.check.metrics import adapter_rules
from tests.load.hpa_simulation_manifest import quantity

SERVICES = ("worker", "gateway", "embedding-service")


def required(found: Overlay, kind: str, name: str) -> Manifest:
    manifest = found.find(kind, name)
    assert manifest is not None
    return manifest


@pytest.mark.parametrize("service", SERVICES)
def test_keda_scales_as_the_adapter_does(production: Overlay, staging: Overlay, service: str) -> None:
    hpa = required(production, "HorizontalPodAutoscaler", service).spec
    keda = required(staging, "ScaledObject", service).spec

    assert keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == hpa["behavior"]
    assert (keda["minReplicaCount"], keda["maxReplicaCount"]) == (hpa["minReplicas"], hpa["maxReplicas"])
    assert [float(trigger["metadata"]["threshold"]) for trigger in keda["triggers"]] == [
        quantity(target["target"]["averageValue"]) for target in targets_of(hpa)
    ]
    assert {trigger["metricType"] for trigger in keda["triggers"]} == {"AverageValue"}


@pytest.mark.parametrize("service", SERVICES)
def test_keda_asks_for_the_series_of_the_adapters_rules(production: Overlay, staging: Overlay, service: str) -> None:
    hpa = required(production, "HorizontalPodAutoscaler", service).spec
    keda = required(staging, "ScaledObject", service).spec

    for trigger, target in zip(keda["triggers"], targets_of(hpa), strict=True):
        series = adapter_rules()[target["metric"]["name"]]["seriesQuery"].partition("{")[0]
        assert series in trigger["metadata"]["query"]


def test_there_is_always_a_worker_or_no_gateway_would_be_ready(production: Overlay) -> None:
    assert required(production, "HorizontalPodAutoscaler", "worker").spec["minReplicas"] >= 1


def test_a_pod_is_given_up_only_after_its_models_could_have_loaded(production: Overlay) -> None:
    """Or the autoscaler would take back what it has just added, before it could help."""
    worker = next(pod for pod in production.pods() if pod.name == "worker").containers[0]
    patience_s = worker["startupProbe"]["periodSeconds"] * worker["startupProbe"]["failureThreshold"]
    deployment = required(production, "Deployment", "worker").spec

    assert patience_s >= 1800
    assert deployment["progressDeadlineSeconds"] > patience_s


def test_embeddings_use_no_more_threads_than_they_are_given(each_overlay: Overlay) -> None:
    container = next(pod for pod in each_overlay.pods() if pod.name == "embedding-service").containers[0]
    settings: Any = settings_of(each_overlay, container)

    assert settings.threads <= float(container["resources"]["limits"]["cpu"])  # 0: the service looks at the limit


def targets_of(hpa: dict[str, Any]) -> list[dict[str, Any]]:
    return [metric[metric["type"].lower()] for metric in hpa["metrics"]]
