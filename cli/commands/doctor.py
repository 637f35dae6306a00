"""`drover doctor`: what this machine has, what it lacks, and what to do about it."""

import typer

from cli.diagnosis import diagnose
from cli.options import DEFAULT_STATE_DIR, StateDirOption
from cli.settings import CliSettings
from cli.stack.state_dir import StateDir
from cli.terminal import console, errors_as_sentences

_MARKS = {"ok": ("ok", None), "note": ("note", "yellow"), "problem": ("PROBLEM", "red")}


def doctor(state_dir: StateDirOption = DEFAULT_STATE_DIR) -> None:
    """Look at hardware, versions, models, ports and servers; exit status 1 when something stands in the way."""
    with errors_as_sentences():
        findings = diagnose(CliSettings.load(), StateDir(state_dir))
    for finding in findings:
        mark, style = _MARKS[finding.level]
        words = f"{finding.words}: {finding.advice}" if finding.advice else finding.words
        console.print(f"{mark:8} {finding.subject:20} {words}", style=style)
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)
