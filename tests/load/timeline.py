"""A load run over time: what was measured in each window of it."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from cli.bench.histogram import Histogram
from cli.bench.outcome import Outcome

MOST_WINDOWS = 150
"""So many points a plot can show."""
_DRIFT_PART = 4
_LEAST_FOR_DRIFT = 5


@dataclass
class Window:
    """Requests count where they end, tokens where they came. `queue_depth` None: nobody told."""

    first_text: Histogram = field(default_factory=Histogram)
    gaps: Histogram = field(default_factory=Histogram)
    total: Histogram = field(default_factory=Histogram)
    tokens: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    users: int = 0
    queue_depth: float | None = None


class Timeline:
    """Windows of `window_s` from `begun_s` on, a moment of time.monotonic()."""

    def __init__(self, begun_s: float, duration_s: float):
        self.window_s = float(max(1, math.ceil(duration_s / MOST_WINDOWS)))
        self._begun_s = begun_s
        self._windows: dict[int, Window] = {}

    @property
    def windows(self) -> list[Window]:
        """From the first to the last, also those in which nothing happened."""
        return [self._windows.get(number, Window()) for number in range(max(self._windows, default=-1) + 1)]

    def add(self, outcome: Outcome) -> None:
        """Count a request that has ended."""
        window = self._at(outcome.ended_s)
        if outcome.error:
            window.errors[outcome.error] += 1
        else:
            window.total.add(outcome.total_s)
        if outcome.first_text_s is not None:
            window.first_text.add(outcome.first_text_s)
        for gap_s in outcome.gaps_s:
            window.gaps.add(gap_s)
        self._add_tokens(outcome)

    def note(self, now_s: float, users: int, queue_depth: float | None) -> None:
        """How many users there are now, and how many jobs wait; the most of a window is kept."""
        window = self._at(now_s)
        window.users = max(window.users, users)
        if queue_depth is not None:
            window.queue_depth = max(window.queue_depth or 0.0, queue_depth)

    @property
    def drift_ratio(self) -> float | None:
        """The p95 of first tokens in the last quarter of the run ÷ that in the first; None for too few of them."""
        windows = self.windows
        size = len(windows) // _DRIFT_PART
        early, late = _merged(windows[:size]), _merged(windows[len(windows) - size :])
        early_s, late_s = early.percentile_s(95), late.percentile_s(95)
        if not early_s or late_s is None or min(early.count, late.count) < _LEAST_FOR_DRIFT:
            return None
        return late_s / early_s

    def _add_tokens(self, outcome: Outcome) -> None:
        """Spread the tokens evenly between the first and the last piece of text."""
        if outcome.first_text_s is None or outcome.last_text_s is None:
            return
        first, last = (self._number(outcome.begun_s + at_s) for at_s in (outcome.first_text_s, outcome.last_text_s))
        for number in range(first, last + 1):
            self._windows.setdefault(number, Window()).tokens += outcome.tokens / (last - first + 1)

    def _at(self, moment_s: float) -> Window:
        return self._windows.setdefault(self._number(moment_s), Window())

    def _number(self, moment_s: float) -> int:
        return max(0, int((moment_s - self._begun_s) / self.window_s))


def _merged(windows: Iterable[Window]) -> Histogram:
    whole = Histogram()
    for window in windows:
        whole.merge(window.first_text)
    return whole
