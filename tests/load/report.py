"""The report of a load run: report.html, report.png and report.json in one folder."""

import base64
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from cli.bench.summary import milliseconds
from tests.load.drive import Run
from tests.load.report_plots import png_of
from tests.load.thresholds import Verdict
from tests.load.timeline import Timeline

_TIMES = {
    "first_token_ms": "first token",
    "inter_token_ms": "inter-token",
    "per_token_ms": "per token",
    "end_to_end_ms": "end to end",
}


def write_report(folder: Path, run: Run, verdicts: list[Verdict]) -> Path:
    """Write the three files and answer the HTML's path; the HTML holds the plots, so it can be sent alone."""
    plan = run.plan
    title = f"{plan.shape.name}, {plan.users} users, {plan.duration_s:g} s"
    png = png_of(run.timeline, title)
    facts: dict[str, Any] = {
        "title": title,
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "url": plan.habits.url,
        "model": plan.habits.asking.model,
        "machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {platform.machine()}",
        "is_interrupted": run.is_interrupted,
        "drift_ratio": run.timeline.drift_ratio,
        "summaries": {
            "all": run.whole.as_json(),
            **{name: summary.as_json() for name, summary in sorted(run.by_workload.items())},
        },
    }
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    page = environment.get_template("report.html").render(
        **facts, times=_TIMES, verdicts=verdicts, png=base64.b64encode(png).decode()
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.png").write_bytes(png)
    (folder / "report.html").write_text(page)
    said = {**facts, "thresholds": [str(verdict) for verdict in verdicts], "windows": _windows(run.timeline)}
    (folder / "report.json").write_text(json.dumps(said, indent=2))
    return folder / "report.html"


def _windows(timeline: Timeline) -> list[dict[str, Any]]:
    return [
        {
            "from_s": number * timeline.window_s,
            "users": window.users,
            "queue_depth": window.queue_depth,
            "tokens_per_s": round(window.tokens / timeline.window_s, 1),
            "answers_per_s": round(window.total.count / timeline.window_s, 2),
            "errors": dict(window.errors),
            "first_token_p95_ms": milliseconds(window.first_text.percentile_s(95)),
            "inter_token_p95_ms": milliseconds(window.gaps.percentile_s(95)),
        }
        for number, window in enumerate(timeline.windows)
    ]
