"""Who can reach whom, by the rendered network policies: a small model of what a cluster's network would let through."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from k8s.check.manifest import Manifest, Overlay, selects

Rule = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """An end of a connection: pods of the overlay, pods elsewhere in the cluster, or an address outside.

    `ports` are those that it listens on, by name.
    """

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = ""


def places_of(overlay: Overlay) -> list[Place]:
    """The overlay's own pods."""
    return [Place(pod.name, pod.namespace, pod.labels, pod.ports) for pod in overlay.pods()]


class Network:
    """The policies of one overlay. A pod that no policy selects may do as it likes, as in Kubernetes."""

    def __init__(self, overlay: Overlay):
        self._policies = overlay.of_kind("NetworkPolicy")

    def allows(self, source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection gets out at its source and in at its target."""
        return self._lets_out(source, target, port, protocol) and self._lets_in(source, target, port, protocol)

    def _lets_out(self, source: Place, target: Place, port: int, protocol: str) -> bool:
        policies = list(self._selecting(source, "Egress"))
        return not policies or any(
            _matches(rule, "to", policy.namespace, target, target, port, protocol)
            for policy in policies
            for rule in policy.spec.get("egress", [])
        )

    def _lets_in(self, source: Place, target: Place, port: int, protocol: str) -> bool:
        policies = list(self._selecting(target, "Ingress"))
        return not policies or any(
            _matches(rule, "from", policy.namespace, source, target, port, protocol)
            for policy in policies
            for rule in policy.spec.get("ingress", [])
        )

    def _selecting(self, place: Place, direction: str) -> Iterator[Manifest]:
        for policy in self._policies:
            is_here = bool(place.namespace) and policy.namespace == place.namespace
            if (
                is_here
                and direction in policy.spec["policyTypes"]
                and selects(policy.spec["podSelector"], place.labels)
            ):
                yield policy


def _matches(rule: Rule, key: str, namespace: str, peer: Place, listener: Place, port: int, protocol: str) -> bool:
    is_peer = key not in rule or any(_is_peer(given, namespace, peer) for given in rule[key])
    return is_peer and (
        "ports" not in rule or any(_is_port(given, listener, port, protocol) for given in rule["ports"])
    )


def _is_peer(given: Rule, namespace: str, peer: Place) -> bool:
    """A podSelector alone means pods of the policy's own namespace."""
    if block := given.get("ipBlock"):
        return _is_in_block(block, peer.address)
    if not peer.namespace:
        return False
    if "namespaceSelector" in given:
        is_namespace = selects(given["namespaceSelector"], {"kubernetes.io/metadata.name": peer.namespace})
    else:
        is_namespace = peer.namespace == namespace
    return is_namespace and selects(given.get("podSelector", {}), peer.labels)


def _is_in_block(block: Rule, address: str) -> bool:
    """Addresses of pods are nobody's to write down, so an ipBlock speaks of what is outside only."""
    if not address:
        return False
    is_inside = ip_address(address) in ip_network(block["cidr"])
    return is_inside and not any(ip_address(address) in ip_network(part) for part in block.get("except", []))


def _is_port(given: Rule, listener: Place, port: int, protocol: str) -> bool:
    number = listener.ports.get(given["port"]) if isinstance(given["port"], str) else given["port"]
    return given.get("protocol", "TCP") == protocol and number == port
