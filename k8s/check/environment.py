"""The variables of the pods are settings that the services know, with values that they take."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cli.settings import CliSettings
from embedding_service.settings import EmbeddingSettings
from gateway.settings import GatewaySettings
from k8s.check.manifest import Data, Overlay, Pod
from session_service.settings import SessionSettings
from shared.settings import ConfigurationError, Settings
from worker.settings import WorkerSettings

SETTINGS: dict[str, type[Settings]] = {
    "drover-gateway": GatewaySettings,
    "drover-worker": WorkerSettings,
    "drover-session-service": SessionSettings,
    "drover-embedding-service": EmbeddingSettings,
    "drover-cli": CliSettings,
}
"""By the image's name."""

FOREIGN = {"HF_HOME", "HF_TOKEN"}
"""Read by the hub's library, not by Drover."""

PLACEHOLDERS = {
    "REDIS_URL": "redis://:secret@redis:6379/0",
    "CELERY_BROKER_URL": "amqp://drover:secret@rabbitmq:5672//",
    "DATABASE_URL": "postgresql://drover:secret@postgres:5432/drover",
}
"""What stands for a secret's value here; any other one is a word."""


def image_name(container: Data) -> str:
    """The image without registry, tag and digest."""
    return str(container["image"]).partition("@")[0].rpartition("/")[2].partition(":")[0]


def variables_of(overlay: Overlay, container: Data) -> dict[str, str]:
    """The container's environment, secrets replaced by placeholders."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if config := overlay.find("ConfigMap", source["configMapRef"]["name"]):
            found |= config.data.get("data", {})
    for variable in container.get("env", []):
        name = variable["name"]
        found[name] = variable.get("value", PLACEHOLDERS.get(name, "a-secret-of-some-length"))
    return found


def settings_of(overlay: Overlay, container: Data) -> Settings | None:
    """The settings as the service would read them; None for a container that is not Drover's.

    Raises ConfigurationError.
    """
    kind = SETTINGS.get(image_name(container))
    if kind is None:
        return None
    with _environment(variables_of(overlay, container)):
        return kind.load()


def check_environment(overlay: Overlay) -> list[str]:
    """One sentence for each variable that its service does not know or would refuse."""
    return [
        f"{pod.owner}, container {container['name']}: {problem}"
        for pod in overlay.pods()
        for container in pod.all_containers
        for problem in _problems(overlay, pod, container)
    ]


def _problems(overlay: Overlay, pod: Pod, container: Data) -> Iterator[str]:
    kind = SETTINGS.get(image_name(container))
    if kind is None:
        return
    known = {kind.variable_of(name) for name in kind.model_fields} | FOREIGN
    strangers = variables_of(overlay, container).keys() - known
    if strangers:
        yield f"{kind.__name__} has no {', '.join(sorted(strangers))}."
        return
    try:
        settings = settings_of(overlay, container)
    except ConfigurationError as error:
        yield str(error)
        return
    if container in pod.containers:
        yield from _listening(settings, pod)


def _listening(settings: Any, pod: Pod) -> Iterator[str]:
    """A service in a pod must listen where Kubernetes looks."""
    host = getattr(settings, "host", getattr(settings, "metrics_host", None))
    port = getattr(settings, "port", getattr(settings, "metrics_port", None))
    if not pod.ports:
        return
    if host != "0.0.0.0":
        yield f"it listens on {host}, where nobody outside the pod can reach it."
    if port not in pod.ports.values():
        yield f"it listens on port {port}, its pod names {sorted(pod.ports.values())}."


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """This process' environment is that one, for a moment."""
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
