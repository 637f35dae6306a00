"""What a dashboard is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["timeseries", "stat", "table", "bargauge", "heatmap", "logs", "text"]


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL (or, in a panel of logs, LogQL) expression; `legend` may name its labels as {{label}}."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """`description` says what the reader should take from it. `limits`: values from which it is yellow, and red."""

    title: str
    description: str
    queries: Sequence[Query]
    kind: Kind = "timeseries"
    unit: str = "short"
    width: int = 8
    limits: tuple[float, float] | None = None
    is_stacked: bool = False
    max_value: float | None = None
    links_to_traces: bool = False
    is_empty_when_well: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading of their own."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable whose values Prometheus has: those of `label` of `metric`."""

    name: str
    metric: str
    label: str


@dataclass(frozen=True, slots=True)
class Number:
    """A variable that the reader types."""

    name: str
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """`name` is its file's, and with `drover-` before it its uid, which links rely on."""

    name: str
    title: str
    description: str
    rows: Sequence[Row]
    variables: Sequence[Choice | Number] = field(default=())
    span: str = "now-1h"
