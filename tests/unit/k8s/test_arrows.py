from collections.abc import Callable
from typing import Any

import pytest

from k8s.check.arrows import ARROWS, check_arrows
from k8s.check.manifest import Overlay


def rules_of(data: dict[str, Any], direction: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data["spec"][direction]
    return found


def test_the_policies_let_the_arrows_through_and_nothing_else(each_overlay: Overlay) -> None:
    assert check_arrows(each_overlay) == []


@pytest.mark.parametrize("name", ["staging", "production"])
def test_a_cluster_that_others_can_reach_has_policies(request: pytest.FixtureRequest, name: str) -> None:
    found: Overlay = request.getfixturevalue(name)

    assert found.find("NetworkPolicy", "default-deny")


def test_every_service_has_its_arrows(staging: Overlay) -> None:
    assert {pod.name for pod in staging.pods()} - {"redis", "postgres", "rabbitmq"} < ARROWS.keys()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "gateway",
            lambda data: rules_of(data, "egress").append({"ports": [{"protocol": "TCP", "port": 443}]}),
            "gateway can reach internet at port 443.",
        ),
        ("gateway", lambda data: rules_of(data, "egress").pop(0), "gateway cannot reach redis at port 6379."),
        (
            "gateway",
            lambda data: rules_of(data, "ingress").append({}),
            "stranger can reach gateway at port 8080.",
        ),
        (
            "postgres",
            lambda data: rules_of(data, "ingress")[0].pop("from"),
            "stranger can reach postgres at port 5432.",
        ),
        (
            "session-service",
            lambda data: rules_of(data, "ingress")[0]["ports"][0].update(port=8080),
            "gateway cannot reach session-service at port 8081.",
        ),
        (
            "metrics",
            lambda data: rules_of(data, "ingress")[0]["from"][0].pop("namespaceSelector"),
            "prometheus cannot reach worker at port 9100.",
        ),
        (
            "metrics",
            lambda data: rules_of(data, "ingress")[0]["from"][0].update(namespaceSelector={}),
            "stranger can reach worker at port 9100.",
        ),
        (
            "models-pull",
            lambda data: rules_of(data, "egress")[0]["to"][0]["ipBlock"].pop("except"),
            "models-pull can reach metadata of the cloud at port 443.",
        ),
        ("dns", lambda data: rules_of(data, "egress")[0]["ports"].pop(0), "worker cannot ask for names by UDP."),
    ],
)
def test_a_wrong_policy_is_told(
    staging: Overlay,
    changed: Callable[..., Overlay],
    name: str,
    change: Callable[[dict[str, Any]], object],
    words: str,
) -> None:
    problems = check_arrows(changed(staging, "NetworkPolicy", name, change))

    assert words in problems


def test_without_default_deny_a_pod_that_no_policy_selects_may_do_as_it_likes(
    staging: Overlay, without: Callable[..., Overlay]
) -> None:
    left = without(without(staging, "NetworkPolicy", "default-deny"), "NetworkPolicy", "dns")

    assert "postgres can reach internet at port 443." in check_arrows(left)


def test_a_policy_that_opens_both_ends_of_a_forbidden_connection_is_told(
    staging: Overlay, changed: Callable[..., Overlay]
) -> None:
    to_postgres = {"to": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 5432}]}
    from_all = {"from": [{"podSelector": {}}]}

    opened = changed(staging, "NetworkPolicy", "gateway", lambda data: rules_of(data, "egress").append(to_postgres))
    opened = changed(opened, "NetworkPolicy", "postgres", lambda data: rules_of(data, "ingress").append(from_all))

    assert check_arrows(opened) == ["gateway can reach postgres at port 5432."]


def test_a_managed_server_that_nobody_may_reach_is_told(production: Overlay, without: Callable[..., Overlay]) -> None:
    problems = check_arrows(without(production, "NetworkPolicy", "managed-redis"))

    assert set(problems) == {
        f"{service} cannot reach redis at port 6379." for service in ("gateway", "worker", "session-service")
    }
