"""The plots of a load report, as one PNG."""

import io

import matplotlib

matplotlib.use("Agg")  # no window, no display

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.load.timeline import Timeline, Window

_PERCENTS = {50: "#4c78a8", 95: "#f58518", 99: "#b279a2"}
_ERRORS = ("#e45756", "#ff9da6", "#9d755d", "#bab0ac", "#eeca3b", "#54a24b")
_INCHES = (10, 14)


def png_of(timeline: Timeline, title: str) -> bytes:
    """Percentiles, throughput, errors and queues over the run's time."""
    figure = Figure(figsize=_INCHES, layout="constrained")
    first, gaps, rates, errors, queue = figure.subplots(5, 1, sharex=True)
    windows = timeline.windows
    at_s = [(number + 0.5) * timeline.window_s for number in range(len(windows))]
    _percentiles(first, at_s, [window.first_text.percentile_s for window in windows], "first token, ms")
    _percentiles(gaps, at_s, [window.gaps.percentile_s for window in windows], "inter-token, ms")
    _rates(rates, at_s, windows, timeline.window_s)
    _errors(errors, at_s, windows, timeline.window_s)
    _queue(queue, at_s, windows)
    queue.set_xlabel("seconds since the beginning")
    figure.suptitle(title)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()


def _percentiles(axes: Axes, at_s: list[float], percentiles: list, name: str) -> None:  # type: ignore[type-arg]
    for percent, colour in _PERCENTS.items():
        found = [percentile(percent) for percentile in percentiles]
        heights = [float("nan") if value is None else value * 1000 for value in found]
        axes.plot(at_s, heights, color=colour, label=f"p{percent}", marker=".", markersize=3, linewidth=1)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", ncols=3)
    _label(axes, name)


def _rates(axes: Axes, at_s: list[float], windows: list[Window], window_s: float) -> None:
    axes.fill_between(at_s, [window.tokens / window_s for window in windows], color="#4c78a8", alpha=0.4)
    axes.set_ylim(bottom=0)
    _label(axes, "tokens/s")
    right = axes.twinx()
    right.plot(at_s, [window.total.count / window_s for window in windows], color="#54a24b", linewidth=1)
    right.set_ylim(bottom=0)
    right.set_ylabel("answers/s", color="#54a24b")


def _errors(axes: Axes, at_s: list[float], windows: list[Window], window_s: float) -> None:
    classes = list(dict.fromkeys(error for window in windows for error in window.errors))
    floor = [0.0] * len(windows)
    for place, error in enumerate(classes):
        heights = [window.errors[error] / window_s for window in windows]
        axes.bar(at_s, heights, window_s, bottom=floor, color=_ERRORS[place % len(_ERRORS)], label=error)
        floor = [below + height for below, height in zip(floor, heights, strict=True)]
    if classes:
        axes.legend(loc="upper left")
    else:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color="grey")
    _label(axes, "errors/s")


def _queue(axes: Axes, at_s: list[float], windows: list[Window]) -> None:
    axes.step(at_s, [window.users for window in windows], where="mid", color="grey", linewidth=1, label="users")
    if any(window.queue_depth is not None for window in windows):
        depths = [float("nan") if window.queue_depth is None else window.queue_depth for window in windows]
        axes.plot(at_s, depths, color="#e45756", linewidth=1.5, label="jobs queued")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")
    _label(axes, "users, queue depth")


def _label(axes: Axes, name: str) -> None:
    axes.set_ylabel(name)
    axes.grid(visible=True, alpha=0.3)
