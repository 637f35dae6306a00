"""The thresholds that make a load run a gate: flags, and which figures miss them."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from cli.bench.histogram import Histogram
from cli.bench.summary import Summary

_PERCENTS = (50, 95, 99)
_TIMES: dict[str, tuple[str, Callable[[Summary], Histogram]]] = {
    "ttft": ("time to first token", lambda summary: summary.first_text),
    "inter-token": ("time between tokens", lambda summary: summary.gaps),
    "e2e": ("end-to-end time", lambda summary: summary.total),
}


@dataclass(frozen=True)
class Measured:
    """What thresholds look at. `drift_ratio`: see Timeline."""

    summary: Summary
    drift_ratio: float | None = None


@dataclass(frozen=True)
class Threshold:
    """One flag. `figure` is None where nothing was measured, which misses every threshold."""

    flag: str
    words: str
    figure: Callable[[Measured], float | None]
    is_ceiling: bool = True

    @property
    def destination(self) -> str:
        """The flag's name among the parsed options."""
        return self.flag.lstrip("-").replace("-", "_")

    def verdict(self, measured: Measured, limit: float) -> "Verdict":
        found = self.figure(measured)
        is_missed = found is None or (found > limit if self.is_ceiling else found < limit)
        return Verdict(self.words, found, limit, is_missed, self.is_ceiling)


@dataclass(frozen=True)
class Verdict:
    """What became of one threshold that was asked for."""

    words: str
    figure: float | None
    limit: float
    is_missed: bool
    is_ceiling: bool

    def __str__(self) -> str:
        found = "nothing measured" if self.figure is None else f"{self.figure:.4g}"
        bound = "at most" if self.is_ceiling else "at least"
        return f"{'MISSED' if self.is_missed else 'kept'}: {self.words}: {found}, {bound} {self.limit:g}"


def _percentile_ms(histogram_of: Callable[[Summary], Histogram], percent: int) -> Callable[[Measured], float | None]:
    def figure(measured: Measured) -> float | None:
        found_s = histogram_of(measured.summary).percentile_s(percent)
        return None if found_s is None else found_s * 1000

    return figure


THRESHOLDS = (
    *(
        Threshold(f"--max-{name}-p{percent}-ms", f"{words}, p{percent}, ms", _percentile_ms(histogram_of, percent))
        for name, (words, histogram_of) in _TIMES.items()
        for percent in _PERCENTS
    ),
    Threshold("--min-tokens-per-s", "tokens/s", lambda m: m.summary.tokens_per_s, is_ceiling=False),
    Threshold("--min-requests-per-s", "requests/s", lambda m: m.summary.requests_per_s, is_ceiling=False),
    Threshold("--max-error-rate", "part of the requests that failed", lambda m: m.summary.error_ratio),
    Threshold("--max-drift-ratio", "last quarter's p95 of first tokens ÷ first quarter's", lambda m: m.drift_ratio),
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """One flag a threshold, all off by default."""
    group = parser.add_argument_group("thresholds", "A run that misses one ends with exit status 1.")
    for threshold in THRESHOLDS:
        group.add_argument(threshold.flag, type=float, metavar="N", help=threshold.words.replace("%", "%%"))


def verdicts(options: argparse.Namespace, measured: Measured) -> list[Verdict]:
    """What became of the thresholds that were asked for; a run in which nothing succeeded misses one of its own."""
    found = []
    for threshold in THRESHOLDS:
        limit = getattr(options, threshold.destination)
        if limit is not None:
            found.append(threshold.verdict(measured, limit))
    if not measured.summary.total.count:
        found.append(Verdict("requests that succeeded", 0, 1, is_missed=True, is_ceiling=False))
    return found
