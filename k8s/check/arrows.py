"""The arrows of docs/architecture.md, compared with what the network policies let through."""

from ipaddress import ip_network
from itertools import product

from k8s.check.manifest import Overlay, everywhere
from k8s.check.reachability import Network, Place, places_of

ARROWS = {
    "gateway": {"redis", "rabbitmq", "session-service", "embedding-service", "otel-collector"},
    "worker": {"redis", "rabbitmq", "otel-collector"},
    "session-service": {"redis", "postgres", "otel-collector"},
    "embedding-service": {"otel-collector"},
    "migrations": {"postgres"},
    "models-pull": {"internet"},
    "prometheus": {"gateway", "worker", "session-service", "embedding-service"},
    "ingress-controller": {"gateway"},
    "stranger": set[str](),
}
"""Who speaks to whom; nobody else does."""

_SERVER_PORTS = {"redis": 6379, "postgres": 5432}
_DNS = Place("dns", "kube-system", {"k8s-app": "kube-dns"}, {"dns": 53})
_AROUND = [
    Place("prometheus", "monitoring", {"app.kubernetes.io/name": "prometheus"}),
    Place("ingress-controller", "ingress-nginx", {"app.kubernetes.io/name": "ingress-nginx"}),
    Place("stranger", "default", {"app.kubernetes.io/name": "prometheus"}),
]
_COLLECTOR = Place(
    "otel-collector", "monitoring", {"app.kubernetes.io/name": "opentelemetry-collector"}, {"otlp": 4318}
)
_OUTSIDE = [
    Place("internet", address="192.0.2.10", ports={"https": 443}),
    Place("metadata of the cloud", address="169.254.169.254", ports={"http": 80, "https": 443}),
]
"""192.0.2.0/24 is reserved for examples and in no private range."""


def check_arrows(overlay: Overlay) -> list[str]:
    """A sentence for each arrow that is blocked, and for each connection that is no arrow and gets through.

    Nothing for an overlay without policies: there everybody may speak to everybody.
    """
    if not overlay.of_kind("NetworkPolicy"):
        return []
    own, network = places_of(overlay), Network(overlay)
    targets = [*own, _COLLECTOR, *_OUTSIDE, *_managed_servers(overlay, {place.name for place in own})]
    problems: list[str] = []
    for source, target in [*product(own, targets), *product(_AROUND, own)]:
        is_meant = target.name in ARROWS.get(source.name, set())
        for port in target.ports.values():
            if source != target and network.allows(source, target, port) != is_meant:
                verb = "cannot reach" if is_meant else "can reach"
                problems.append(f"{source.name} {verb} {target.name} at port {port}.")
    problems += [
        f"{place.name} cannot ask for names by {protocol}."
        for place, protocol in product(own, ("UDP", "TCP"))
        if not network.allows(place, _DNS, 53, protocol)
    ]
    return list(dict.fromkeys(problems))


def _managed_servers(overlay: Overlay, here: set[str]) -> list[Place]:
    """Redis and Postgres where they are not in the cluster: at the first address of each subnet that a policy names."""
    blocks = {str(cidr) for policy in overlay.of_kind("NetworkPolicy") for cidr in everywhere(policy.spec, "cidr")}
    subnets = sorted(blocks - {"0.0.0.0/0"})
    return [
        Place(name, address=str(ip_network(subnet)[1]), ports={name: port})
        for name, port in _SERVER_PORTS.items()
        if name not in here
        for subnet in subnets
    ]
