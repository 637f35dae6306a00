"""Writes the table of metrics in docs/operations.md from their declarations: `make dashboards`."""

from pathlib import Path

from scripts.marked_section import write_section
from shared.telemetry.instruments import DECLARED
from shared.telemetry.metric import Metric

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations.md"
SHORT = {"session-service": "session", "embedding-service": "embedding"}


def table() -> str:
    """One line for each metric."""
    lines = [_line(metric) for metric in DECLARED.values()]
    return "\n".join(["| metric | of | labels | |", "|---|---|---|---|", *lines])


def _line(metric: Metric) -> str:
    services = ", ".join(SHORT.get(service, service) for service in metric.services)
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
    return f"| `{metric.name}` | {services} | {labels} | {metric.description} |"


if __name__ == "__main__":
    write_section(PAGE, "metrics", table())
