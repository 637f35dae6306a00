"""A bench's figures on the terminal: the table, and the line under it while a step runs."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table

from cli.bench.histogram import Histogram
from cli.bench.load import Step
from cli.bench.summary import PERCENTS, milliseconds

_NAMES = {
    "first_token": "first token",
    "inter_token": "inter-token",
    "per_token": "per token",
    "end_to_end": "end to end",
}


def table_of(steps: Iterable[Step]) -> Table:
    """Four rows for each step that has an answer, one for each kind of time, in milliseconds."""
    table = Table(box=None, pad_edge=False)
    for name in ("streams", "requests", "errors", "tokens/s"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ms", no_wrap=True)
    for percent in PERCENTS:
        table.add_column(f"p{percent}", justify="right", no_wrap=True)
    for step in steps:
        summary = step.summary
        if not summary.requests:
            continue
        figures = (step.streams, summary.requests, summary.errors.total(), round(summary.tokens_per_s))
        firsts = [*map(str, figures)]
        for name, histogram in summary.durations.items():
            table.add_row(*firsts, _NAMES[name], *_percentiles(histogram))
            firsts = [""] * len(figures)
    return table


def live_view(steps: list[Step]) -> RenderableType:
    """The table so far, and how the step that runs is getting on."""
    running = next((step for step in reversed(steps) if step.begun_s), None)
    if running is None:
        return table_of(steps)
    rate = running.tokens_so_far / running.elapsed_s if running.elapsed_s else 0.0
    words = f"{running.streams} streams: {running.summary.requests} requests, {rate:.0f} tokens/s"
    line = Table.grid(padding=(0, 1))
    line.add_row(ProgressBar(completed=running.progress * 100, width=24), words)
    return Group(table_of(steps), line)


def error_lines(steps: Iterable[Step]) -> list[str]:
    """One line for each class of errors of each step, with what a server said."""
    lines = []
    for step in steps:
        for error, count in step.summary.errors.most_common():
            words = step.summary.words.get(error)
            lines.append(f"{step.streams} streams: {count} × {error}{f' ({words})' if words else ''}")
    return lines


def _percentiles(histogram: Histogram) -> list[str]:
    found = [milliseconds(histogram.percentile_s(percent)) for percent in PERCENTS]
    return ["–" if value is None else f"{value:.1f}" for value in found]
