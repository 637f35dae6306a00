"""One object as Kubernetes would get it, and the pods that it stands for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Data = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """What a workload's pods are like: `spec` as in the API, their labels, their namespace."""

    owner: str
    namespace: str
    labels: Mapping[str, str]
    spec: Data

    @property
    def name(self) -> str:
        """The service's name, which stays the same when a job's name carries a version."""
        return self.labels.get("app.kubernetes.io/name", self.owner)

    @property
    def containers(self) -> list[Data]:
        """The containers that run, without those that only begin."""
        return list(self.spec["containers"])

    @property
    def all_containers(self) -> list[Data]:
        return [*self.spec.get("initContainers", []), *self.containers]

    @property
    def ports(self) -> dict[str, int]:
        """Named ports of the running containers."""
        return {
            port.get("name", str(port["containerPort"])): port["containerPort"]
            for container in self.containers
            for port in container.get("ports", [])
        }

    def port(self, wanted: str | int) -> int | None:
        """The number of a port that is given by name or number; None if the pods have no such port."""
        if isinstance(wanted, str):
            return self.ports.get(wanted)
        return wanted if wanted in self.ports.values() else None


@dataclass(frozen=True)
class Manifest:
    """A rendered object."""

    data: Data

    @property
    def kind(self) -> str:
        return str(self.data["kind"])

    @property
    def name(self) -> str:
        return str(self.data["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.data["metadata"].get("namespace", ""))

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.data["metadata"].get("labels", {})
        return labels

    @property
    def spec(self) -> Data:
        return dict(self.data.get("spec", {}))

    @property
    def title(self) -> str:
        """For sentences."""
        return f"{self.kind} {self.name}"

    def pod(self) -> Pod | None:
        """The pods of a Deployment, StatefulSet or Job."""
        template = self.spec.get("template")
        if self.kind not in ("Deployment", "StatefulSet", "Job", "DaemonSet") or template is None:
            return None
        return Pod(self.name, self.namespace, template["metadata"].get("labels", {}), template["spec"])


@dataclass(frozen=True)
class Overlay:
    """Everything that one overlay renders to, and the secrets that it expects to be there: names with their keys."""

    name: str
    manifests: list[Manifest]
    expected_secrets: Mapping[str, list[str]]

    def of_kind(self, *kinds: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest.kind in kinds]

    def find(self, kind: str, name: str) -> Manifest | None:
        return next((found for found in self.of_kind(kind) if found.name == name), None)

    def pods(self) -> list[Pod]:
        return [pod for manifest in self.manifests if (pod := manifest.pod())]

    def counts(self) -> dict[str, int]:
        """How many objects of which kind."""
        kinds = [manifest.kind for manifest in self.manifests]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector of the API (matchLabels, matchExpressions) selects these labels; {} selects all."""
    pairs = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in pairs.items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None


def everywhere(data: object, key: str) -> Iterator[Any]:
    """The value of every `key` in a tree of dicts and lists, however deep."""
    if isinstance(data, dict):
        if key in data:
            yield data[key]
        for value in data.values():
            yield from everywhere(value, key)
    elif isinstance(data, list):
        for value in data:
            yield from everywhere(value, key)
