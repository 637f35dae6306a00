"""The report of fault tests: a table for people, JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from scripts.marked_section import write_section
from tests.fault.arena import Outcome

HEADER = (
    "| test | seed | faults injected | streams | turns | cuts "
    "| pause p50 / p95 / max (s) | first token (s) | other | pass |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown, one line a test."""
    return "\n".join([*HEADER, *(_line(outcome) for outcome in outcomes)]) + "\n"


def write(outcomes: Sequence[Outcome], folder: Path) -> None:
    """`report.md` and `report.json` in that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(table(outcomes))
    (folder / "report.json").write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))


def write_into(document: Path, outcomes: Sequence[Outcome], titles: dict[str, str]) -> None:
    """Put the table for readers between the two marks of a document. Raises ValueError if it has none."""
    write_section(document, "fault figures", _summary(outcomes, titles))


def _summary(outcomes: Sequence[Outcome], titles: dict[str, str]) -> str:
    lines = [
        "| fault | runs | harm done | streams | longest pause of a stream, p50 / p95 / max (s) | passed |",
        "|---" * 6 + "|",
    ]
    for name in dict.fromkeys(outcome.name for outcome in outcomes):
        runs = [outcome for outcome in outcomes if outcome.name == name]
        pauses = [run.pause for run in runs if run.pause]
        worst = max(pauses, key=lambda pause: pause.p95) if pauses else "–"
        passed = sum(run.has_passed for run in runs)
        cells = (
            *(titles.get(name, name), len(runs), sum(sum(run.faults.values()) for run in runs)),
            *(sum(run.streams for run in runs), worst, f"{passed} of {len(runs)}"),
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _line(outcome: Outcome) -> str:
    faults = ", ".join(f"{count} × {kind}" for kind, count in sorted(outcome.faults.items())) or "–"
    figures = ", ".join(f"{name}: {value}" for name, value in outcome.figures.items()) or "–"
    verdict = "yes" if outcome.has_passed else f"NO ({len(outcome.problems)})"
    cells = (
        *(outcome.name, outcome.seed, faults, outcome.streams, outcome.turns, outcome.cuts),
        *(outcome.pause or "–", outcome.first_token or "–", figures, verdict),
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
