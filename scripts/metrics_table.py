"""Writes the table of metrics in docs/operations.md from their declarations: `make dashboards`."""

from pathlib import Path

from shared.telemetry.instruments import DECLARED
from shared.telemetry.metric import Metric

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations.md"
BEGIN, END = "<!-- metrics: begin -->", "<!-- metrics: end -->"
SHORT = {"session-service": "session"}


def table() -> str:
    """One line for each metric."""
    lines = [_line(metric) for metric in DECLARED.values()]
    return "\n".join(["| metric | of | labels | |", "|---|---|---|---|", *lines])


def page(text: str) -> str:
    """The page with this table between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


def _line(metric: Metric) -> str:
    services = ", ".join(SHORT.get(service, service) for service in metric.services)
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
    return f"| `{metric.name}` | {services} | {labels} | {metric.description} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
