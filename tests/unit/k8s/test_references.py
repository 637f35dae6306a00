from collections.abc import Callable
from typing import Any

import pytest

from k8s.check.manifest import Overlay
from k8s.check.references import check_references


def container(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["spec"]["template"]["spec"]["containers"][0]
    return found


def test_every_reference_leads_somewhere(each_overlay: Overlay) -> None:
    assert check_references(each_overlay) == []


@pytest.mark.parametrize(
    ("kind", "name", "change", "words"),
    [
        (
            "Deployment",
            "gateway",
            lambda data: container(data)["env"][0]["valueFrom"]["secretKeyRef"].update(key="uri"),
            "the secret drover-redis has no key uri",
        ),
        (
            "Deployment",
            "gateway",
            lambda data: container(data)["env"][0]["valueFrom"]["secretKeyRef"].update(name="redis"),
            "nobody makes the secret redis",
        ),
        (
            "Deployment",
            "worker",
            lambda data: container(data)["envFrom"][0]["configMapRef"].update(name="settings"),
            "there is no ConfigMap settings",
        ),
        (
            "Deployment",
            "worker",
            lambda data: container(data)["readinessProbe"]["httpGet"].update(port="http"),
            "its readinessProbe asks port http",
        ),
        (
            "Deployment",
            "worker",
            lambda data: container(data)["volumeMounts"][0].update(name="catalog"),
            "there is no volume catalog",
        ),
        ("Service", "gateway", lambda data: data["spec"]["selector"].clear(), "its pods have no port http"),
        (
            "Service",
            "gateway",
            lambda data: data["spec"]["selector"].update({"app.kubernetes.io/name": "gate"}),
            "Service gateway selects no pods",
        ),
        (
            "PodDisruptionBudget",
            "worker",
            lambda data: data["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/name": "workers"}),
            "PodDisruptionBudget worker selects the pods of 0 workloads",
        ),
        ("Deployment", "worker", lambda data: data["spec"].update(replicas=3), "Deployment worker sets replicas too"),
        (
            "HorizontalPodAutoscaler",
            "worker",
            lambda data: data["spec"]["scaleTargetRef"].update(name="workers"),
            "there is nothing called workers",
        ),
        (
            "ServiceMonitor",
            "drover",
            lambda data: data["spec"]["endpoints"][0].update(port="web"),
            "no service has a port web",
        ),
        (
            "Ingress",
            "gateway",
            lambda data: data["spec"]["tls"][0].update(secretName="tls"),
            "nobody makes the secret tls",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_told(
    production: Overlay,
    changed: Callable[..., Overlay],
    kind: str,
    name: str,
    change: Callable[[dict[str, Any]], object],
    words: str,
) -> None:
    problems = check_references(changed(production, kind, name, change))

    assert any(words in problem for problem in problems), problems


def test_a_secret_that_is_no_longer_expected_is_missed(production: Overlay) -> None:
    expected = {name: keys for name, keys in production.expected_secrets.items() if name != "drover-internal"}

    problems = check_references(Overlay("production", production.manifests, expected))

    assert any("nobody makes the secret drover-internal" in problem for problem in problems)


def test_a_claim_that_is_not_there_is_missed(local: Overlay, without: Callable[..., Overlay]) -> None:
    problems = check_references(without(local, "PersistentVolumeClaim", "models"))

    assert any("there is no PersistentVolumeClaim models" in problem for problem in problems)
