"""What every pod must keep to: no rights, bounded memory, an end that waits for the drain, images of one version."""

import inspect
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from fastapi.routing import APIRoute

from gateway.service import DRAIN_S as GATEWAY_DRAIN_S
from k8s.check.environment import SETTINGS, image_name, settings_of
from k8s.check.manifest import Data, Overlay, Pod
from shared.http import serve
from shared.http.operations import operations_router
from shared.settings import ConfigurationError

WORKER_HANDOVER_S = 2.0
"""worker/drain.py returns at most so long after its grace."""

USER = 10001
"""Of Drover's images."""


def check_pods(overlay: Overlay) -> list[str]:
    """One sentence for each rule that a pod breaks."""
    return [
        problem
        for pod in overlay.pods()
        for check in (_of_pod, _of_end, _of_containers)
        for problem in check(overlay, pod)
    ]


def drain_s(overlay: Overlay, pod: Pod) -> float:
    """How long the pod's service may take between SIGTERM and its exit; 0 for what is not a service of Drover.

    Raises ConfigurationError for settings that the service would refuse.
    """
    container = pod.containers[0]
    settings: Any = settings_of(overlay, container)
    match image_name(container) if "startupProbe" in container else "":
        case "drover-gateway":
            return float(settings.shutdown_grace_s + GATEWAY_DRAIN_S)
        case "drover-worker":
            return float(settings.drain_grace_s + WORKER_HANDOVER_S)
        case "drover-embedding-service":
            return float(settings.graceful_shutdown_s)
        case "drover-session-service":
            return float(inspect.signature(serve).parameters["graceful_shutdown_s"].default)
    return 0.0


def _of_pod(_overlay: Overlay, pod: Pod) -> Iterator[str]:
    security = pod.spec.get("securityContext", {})
    if pod.spec.get("enableServiceLinks") is not False:
        yield f"{pod.owner}: enableServiceLinks must be false, or GATEWAY_PORT is tcp://…"
    if pod.spec.get("automountServiceAccountToken") is not False:
        yield f"{pod.owner}: it gets a token for the cluster's API, which it does not need."
    if security.get("runAsNonRoot") is not True or security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield f"{pod.owner}: it must run as a user other than root, with the runtime's seccomp profile."
    if "fsGroup" in security and security.get("fsGroupChangePolicy") != "OnRootMismatch":
        yield f"{pod.owner}: at each start its files would be opened to the group, and Erlang refuses such a cookie."
    if any(image_name(container) in SETTINGS for container in pod.containers) and security.get("runAsUser") != USER:
        yield f"{pod.owner}: Drover's images run as user {USER}."


def _of_end(overlay: Overlay, pod: Pod) -> Iterator[str]:
    hook = pod.containers[0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    try:
        needed = hook + drain_s(overlay, pod)
    except ConfigurationError:
        return  # check_environment tells of it
    given = pod.spec.get("terminationGracePeriodSeconds", 30)
    if given < needed:
        yield f"{pod.owner}: it is killed after {given} s, and its preStop and drain take up to {needed:.0f} s."


def _of_containers(overlay: Overlay, pod: Pod) -> Iterator[str]:
    operations = {route.path for route in operations_router("", _nothing).routes if isinstance(route, APIRoute)}
    for container in pod.all_containers:
        where = f"{pod.owner}, container {container['name']}"
        yield from (f"{where}: {problem}" for problem in _of_container(overlay, container))
        if image_name(container) in SETTINGS:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                path = container.get(probe, {}).get("httpGet", {}).get("path")
                if path is not None and path not in operations:
                    yield f"{where}: its {probe} asks {path}, the services answer {', '.join(sorted(operations))}."


def _of_container(overlay: Overlay, container: Data) -> Iterator[str]:
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False or security.get("capabilities") != {"drop": ["ALL"]}:
        yield "it must drop all capabilities and not gain any."
    if security.get("readOnlyRootFilesystem") is not True:
        yield "its root file system must be read-only."
    resources = container.get("resources", {})
    if not {"cpu", "memory"} <= resources.get("requests", {}).keys() or "memory" not in resources.get("limits", {}):
        yield "it must request CPU and memory, and bound its memory."
    tag = str(container["image"]).rpartition("/")[2].partition(":")[2]
    if tag in ("", "latest"):
        yield f"its image {container['image']} names no version."
    if (
        overlay.name != "local"
        and PurePosixPath(container["image"]).parent.name == ""
        and "drover" in container["image"]
    ):
        yield f"its image {container['image']} names no registry."


async def _nothing() -> dict[str, str]:
    return {}
