"""Asks a Prometheus every question of every dashboard: `python -m scripts.check_dashboards --prometheus URL`.

Exit status 1 when one is refused, or has no answer though it should have one. Have some traffic first. With --loki the
panels of logs are asked, too.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from scripts.dashboards.files import DASHBOARDS
from scripts.dashboards.model import Choice, Dashboard, Number, Panel, Query

POINTS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """`problem` is empty when all is well, else a sentence."""

    where: str
    series: int
    problem: str


def main() -> int:
    """Print a line for each query; the exit status."""
    options = _options()
    with httpx.Client(timeout=30, trust_env=False) as client:
        answers = [answer for dashboard in DASHBOARDS for answer in _ask(client, dashboard, options)]
    for answer in answers:
        sys.stdout.write(f"{answer.problem or 'ok':<28} {answer.series:>4}  {answer.where}\n")
    problems = [answer for answer in answers if answer.problem]
    sys.stdout.write(f"{len(answers)} queries, {len(problems)} with a problem\n")
    return 1 if problems else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--prometheus", required=True, help="its URL, such as http://127.0.0.1:9090")
    parser.add_argument("--loki", help="Loki's URL, if the panels of logs are to be asked")
    parser.add_argument("--minutes", type=float, default=15, help="the time that is looked at, until now")
    return parser.parse_args()


def _ask(client: httpx.Client, dashboard: Dashboard, options: argparse.Namespace) -> Iterator[Answer]:
    for panel in (panel for row in dashboard.rows for panel in row.panels):
        url = options.loki if panel.kind == "logs" else options.prometheus
        for query in panel.queries:
            if url:
                yield _answer(client, url, dashboard, panel, query, options.minutes)


def _answer(client: httpx.Client, url: str, dashboard: Dashboard, panel: Panel, query: Query, minutes: float) -> Answer:
    now = time.time()
    path = "/loki/api/v1/query_range" if panel.kind == "logs" else "/api/v1/query_range"
    response = client.get(
        url.rstrip("/") + path,
        params={
            "query": _filled(query.expression, dashboard, minutes),
            "start": now - minutes * 60,
            "end": now,
            "step": max(1, round(minutes * 60 / POINTS)),
        },
    )
    where = f"{dashboard.title}: {panel.title} [{query.legend}]"
    if response.status_code != httpx.codes.OK:
        return Answer(where, 0, f"refused: {response.text[:120]}")
    series = [one for one in response.json()["data"]["result"] if _has_numbers(one)]
    problem = "" if series or panel.is_empty_when_well else "no data"
    return Answer(where, len(series), problem)


def _has_numbers(series: dict[str, list[tuple[float, str]]]) -> bool:
    return any(value != "NaN" for _, value in series["values"])


def _filled(expression: str, dashboard: Dashboard, minutes: float) -> str:
    """The expression as Grafana would send it, with every variable at its default."""
    filled = expression.replace("$__rate_interval", "1m").replace("$__range", f"{round(minutes * 60)}s")
    for variable in dashboard.variables:
        match variable:
            case Choice():
                filled = filled.replace(f"${variable.name}", ".*")
            case Number():
                filled = filled.replace(f"${variable.name}", variable.value)
    return filled


if __name__ == "__main__":
    sys.exit(main())
