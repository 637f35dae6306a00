"""What Prometheus sees of one metric: its name, its labels, and the services that export it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Service = Literal["gateway", "worker", "session-service", "embedding-service"]
"""As the services name themselves to `configure_metrics`."""

ANY: tuple[str, ...] = ()
"""The values of a label that only the running system knows, such as the names of its models."""


@dataclass(frozen=True, slots=True)
class Metric:
    """`labels`: each with the values that it can have, or ANY. The services are those that export it."""

    name: str
    kind: Kind
    description: str
    services: tuple[Service, ...]
    labels: Mapping[str, tuple[str, ...]]

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which Prometheus stores it."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return (self.name,)

    def known_label_sets(self) -> list[dict[str, str]]:
        """Every combination of labels that is known beforehand; none where a label can have any value."""
        if ANY in self.labels.values():
            return []
        return [dict(zip(self.labels, values, strict=True)) for values in product(*self.labels.values())]
