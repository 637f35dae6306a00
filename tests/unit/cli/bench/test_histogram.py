import random

import pytest

from cli.bench.histogram import Histogram


@pytest.mark.parametrize("percent", [1, 50, 90, 95, 99, 100])
def test_percentiles_are_within_one_per_cent_of_the_exact_ones(percent: float) -> None:
    drawn = random.Random(7)
    durations_s = [drawn.lognormvariate(-4, 2) for _ in range(1000)]

    found = Histogram(durations_s).percentile_s(percent)

    assert found == pytest.approx(sorted(durations_s)[percent * 10 - 1], rel=0.0101)


def test_one_duration_is_every_percentile() -> None:
    histogram = Histogram([0.125])

    assert {histogram.percentile_s(percent) for percent in (0, 50, 100)} == {0.125}


def test_nothing_counted_has_no_percentile_and_no_mean() -> None:
    assert (Histogram().percentile_s(50), Histogram().mean_s) == (None, None)


def test_no_time_at_all_is_counted_too() -> None:
    histogram = Histogram([0.0, 0.0, 1.0])

    assert histogram.percentile_s(50) == pytest.approx(0, abs=1e-6)
    assert histogram.mean_s == pytest.approx(1 / 3)


def test_merged_histograms_say_what_one_would_have_said() -> None:
    left, right, whole = Histogram([0.1, 0.2]), Histogram([0.3, 5.0]), Histogram([0.1, 0.2, 0.3, 5.0])

    left.merge(right)

    assert [left.percentile_s(p) for p in (25, 50, 75, 99)] == [whole.percentile_s(p) for p in (25, 50, 75, 99)]
    assert (left.count, left.least_s, left.most_s) == (4, 0.1, 5.0)
