"""A histogram: percentiles of any number of durations in little memory, each within one per cent."""

import math
from collections import Counter
from collections.abc import Iterable

_STEP = math.log(1.02)
"""Buckets grow by 2 %, so that the middle of one is within 1 % of all that is in it."""
_LEAST_S = 1e-7
"""Shorter times count as this: two pieces of text in one network packet are no time apart."""


class Histogram:
    """Durations in seconds. Two histograms can be added, so that a window's may become a whole run's."""

    def __init__(self, durations_s: Iterable[float] = ()):
        self._counts: Counter[int] = Counter()
        self.count = 0
        self.sum_s = 0.0
        self.least_s = math.inf
        self.most_s = 0.0
        for duration_s in durations_s:
            self.add(duration_s)

    def add(self, duration_s: float) -> None:
        """Count one duration."""
        self._counts[math.floor(math.log(max(duration_s, _LEAST_S)) / _STEP)] += 1
        self.count += 1
        self.sum_s += duration_s
        self.least_s = min(self.least_s, duration_s)
        self.most_s = max(self.most_s, duration_s)

    def merge(self, other: "Histogram") -> None:
        """Count all that `other` has counted."""
        self._counts.update(other._counts)
        self.count += other.count
        self.sum_s += other.sum_s
        self.least_s = min(self.least_s, other.least_s)
        self.most_s = max(self.most_s, other.most_s)

    @property
    def mean_s(self) -> float | None:
        """None while nothing is counted."""
        return self.sum_s / self.count if self.count else None

    def percentile_s(self, percent: float) -> float | None:
        """The least duration that so many per cent do not exceed (nearest rank); None while nothing is counted."""
        wanted = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                middle_s = math.exp((bucket + 0.5) * _STEP)
                return min(max(middle_s, self.least_s), self.most_s)
        return None
