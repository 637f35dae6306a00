from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from gateway.app import build_app
from gateway.settings import GatewaySettings
from k8s.check.manifest import Overlay
from k8s.check.rendering import ROOT
from shared.http.operations import operations_router

ADMIN = "/admin"
"""For operators, not for the world."""


@pytest.fixture(scope="module")
def paths() -> set[str]:
    """The paths of the gateway's API, and of its description."""
    app = build_app(GatewaySettings(models_dir=Path(ROOT.parent / "models")))
    return {*app.openapi()["paths"], str(app.openapi_url), str(app.docs_url)}


@pytest.fixture(params=["staging", "production"])
def exposed(request: pytest.FixtureRequest) -> list[tuple[str, str]]:
    """The ingress' paths with their types."""
    found: Overlay = request.getfixturevalue(request.param)
    rules = found.of_kind("Ingress")[0].spec["rules"]
    return [(path["path"], path["pathType"]) for rule in rules for path in rule["http"]["paths"]]


async def nothing() -> dict[str, str]:
    return {}


def is_exposed(path: str, exposed: list[tuple[str, str]]) -> bool:
    return any(
        path == open_path or (kind == "Prefix" and path.startswith(f"{open_path.rstrip('/')}/"))
        for open_path, kind in exposed
    )


def test_the_whole_api_can_be_reached_from_outside(paths: set[str], exposed: list[tuple[str, str]]) -> None:
    public = {path for path in paths if not path.startswith(ADMIN)}

    assert {"/v1/chat/completions", "/health", "/docs"} <= public
    assert {path for path in public if not is_exposed(path, exposed)} == set()


def test_what_is_for_the_inside_cannot(paths: set[str], exposed: list[tuple[str, str]]) -> None:
    operations = {route.path for route in operations_router("", nothing).routes if isinstance(route, APIRoute)}
    inside = operations | {path for path in paths if path.startswith(ADMIN)}

    assert "/metrics" in inside
    assert {path for path in inside if is_exposed(path, exposed)} == set()


def test_nothing_holds_a_stream_back(production: Overlay) -> None:
    annotations = production.of_kind("Ingress")[0].data["metadata"]["annotations"]
    ping_interval_s = GatewaySettings().ping_interval_s

    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert annotations["nginx.org/proxy-buffering"] == "false"
    assert float(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > 2 * ping_interval_s
    assert float(annotations["nginx.org/proxy-read-timeout"].removesuffix("s")) > 2 * ping_interval_s


def test_a_body_that_is_too_long_is_answered_by_the_gateway(production: Overlay) -> None:
    annotations = production.of_kind("Ingress")[0].data["metadata"]["annotations"]
    limit_bytes = int(annotations["nginx.ingress.kubernetes.io/proxy-body-size"].removesuffix("m")) * 2**20

    assert limit_bytes > GatewaySettings().max_body_bytes
