"""The rendered overlays, and copies of them with something broken."""

import copy
import os
from collections.abc import Callable

import pytest

from k8s.check.manifest import Data, Manifest, Overlay
from k8s.check.rendering import OVERLAYS, has_renderer, overlay

Change = Callable[[Data], object]


@pytest.fixture(scope="session", autouse=True)
def _renderer() -> None:
    """Without kubectl there is nothing to look at: a reason to skip on a laptop, an error in CI."""
    if has_renderer():
        return
    if "CI" in os.environ:
        pytest.fail("kubectl is missing on the CI machine: the overlays were not looked at.")
    pytest.skip("kubectl is missing: install it to test k8s/ (docs/kubernetes.md).")


@pytest.fixture(params=OVERLAYS)
def each_overlay(request: pytest.FixtureRequest) -> Overlay:
    return overlay(request.param)


@pytest.fixture
def local() -> Overlay:
    return overlay("local")


@pytest.fixture
def staging() -> Overlay:
    return overlay("staging")


@pytest.fixture
def production() -> Overlay:
    return overlay("production")


@pytest.fixture
def changed() -> Callable[[Overlay, str, str, Change], Overlay]:
    """A copy of an overlay in which the object of that kind and name has been changed."""

    def change_one(found: Overlay, kind: str, name: str, change: Change) -> Overlay:
        assert found.find(kind, name), f"{found.name} has no {kind} {name}"
        manifests = []
        for manifest in found.manifests:
            data = copy.deepcopy(manifest.data)
            if (manifest.kind, manifest.name) == (kind, name):
                change(data)
            manifests.append(Manifest(data))
        return Overlay(found.name, manifests, found.expected_secrets)

    return change_one


@pytest.fixture
def without() -> Callable[[Overlay, str, str], Overlay]:
    """A copy of an overlay that lacks one object."""

    def leave_out(found: Overlay, kind: str, name: str) -> Overlay:
        assert found.find(kind, name), f"{found.name} has no {kind} {name}"
        rest = [manifest for manifest in found.manifests if (manifest.kind, manifest.name) != (kind, name)]
        return Overlay(found.name, rest, found.expected_secrets)

    return leave_out
