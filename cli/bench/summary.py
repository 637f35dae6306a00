"""The figures of many requests: percentiles, rates, errors by class."""

from collections import Counter
from typing import Any

from cli.bench.histogram import Histogram
from cli.bench.outcome import Outcome

PERCENTS = (50, 90, 95, 99)


class Summary:
    """Grows by one outcome after the other. What an erroneous request measured before its error counts, too."""

    def __init__(self) -> None:
        self.requests = 0
        self.tokens = 0
        self.prompt_tokens = 0
        self.errors: Counter[str] = Counter()
        self.words: dict[str, str] = {}
        """One server's sentence for each class of errors."""
        self.first_text = Histogram()
        self.gaps = Histogram()
        self.per_token = Histogram()
        self.total = Histogram()
        self.is_counted = True
        """Whether every answer told its tokens; else pieces of text were counted instead."""
        self._begun_s: float | None = None
        self._ended_s = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count one request that has ended."""
        self.requests += 1
        self.tokens += outcome.tokens
        self.prompt_tokens += outcome.prompt_tokens
        self._begun_s = outcome.begun_s if self._begun_s is None else min(self._begun_s, outcome.begun_s)
        self._ended_s = max(self._ended_s, outcome.ended_s)
        if outcome.error:
            self.errors[outcome.error] += 1
            self.words.setdefault(outcome.error, outcome.words)
        else:
            self.total.add(outcome.total_s)
            self.is_counted &= outcome.is_counted
        if outcome.first_text_s is not None:
            self.first_text.add(outcome.first_text_s)
        if outcome.per_token_s is not None:
            self.per_token.add(outcome.per_token_s)
        for gap_s in outcome.gaps_s:
            self.gaps.add(gap_s)

    @property
    def wall_s(self) -> float:
        """From the beginning of the first request to the end of the last."""
        return 0.0 if self._begun_s is None else self._ended_s - self._begun_s

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def requests_per_s(self) -> float:
        """Of those that succeeded."""
        return self.total.count / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def error_ratio(self) -> float:
        """0 to 1."""
        return self.errors.total() / self.requests if self.requests else 0.0

    @property
    def durations(self) -> dict[str, Histogram]:
        """The measured times by the names that tables and reports give them."""
        return {
            "first_token": self.first_text,
            "inter_token": self.gaps,
            "per_token": self.per_token,
            "end_to_end": self.total,
        }

    def as_json(self) -> dict[str, Any]:
        """All figures; durations in milliseconds, null where nothing was measured."""
        return {
            "requests": self.requests,
            "seconds": round(self.wall_s, 3),
            "requests_per_s": round(self.requests_per_s, 3),
            "tokens": self.tokens,
            "prompt_tokens": self.prompt_tokens,
            "tokens_are_counted": self.is_counted,
            "tokens_per_s": round(self.tokens_per_s, 1),
            "error_ratio": round(self.error_ratio, 5),
            "errors": dict(self.errors.most_common()),
            "error_words": self.words,
            **{f"{name}_ms": _spread_ms(histogram) for name, histogram in self.durations.items()},
        }


def milliseconds(duration_s: float | None) -> float | None:
    return None if duration_s is None else round(duration_s * 1000, 2)


def _spread_ms(histogram: Histogram) -> dict[str, float | int | None]:
    percentiles = {f"p{percent}": milliseconds(histogram.percentile_s(percent)) for percent in PERCENTS}
    most_s = histogram.most_s if histogram.count else None
    return {
        **percentiles,
        "mean": milliseconds(histogram.mean_s),
        "max": milliseconds(most_s),
        "count": histogram.count,
    }
