import argparse

import pytest

from cli.bench.outcome import Outcome
from cli.bench.summary import Summary
from tests.load.thresholds import THRESHOLDS, Measured, Verdict, add_flags, verdicts


def judge(measured: Measured, *flags: str) -> list[Verdict]:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return verdicts(parser.parse_args(flags), measured)


@pytest.fixture
def measured() -> Measured:
    """Ten answers of ten tokens in two seconds, the first tokens after 200 ms, and an error."""
    summary = Summary()
    for number in range(10):
        summary.add(Outcome(0.0, 2.0, first_text_s=0.2, last_text_s=1.1, gaps_s=[0.1] * 9, tokens=10 + 0 * number))
    summary.add(Outcome(0.0, 1.0, error="429 rate_limit_exceeded"))
    return Measured(summary, drift_ratio=1.4)


@pytest.mark.parametrize(
    ("flag", "kept", "missed"),
    [
        ("--max-ttft-p95-ms", 210, 190),
        ("--max-inter-token-p99-ms", 110, 90),
        ("--max-e2e-p50-ms", 2100, 1900),
        ("--min-tokens-per-s", 49, 51),
        ("--min-requests-per-s", 4.9, 5.1),
        ("--max-error-rate", 0.1, 0.05),
        ("--max-drift-ratio", 1.5, 1.3),
    ],
)
def test_a_threshold_is_kept_or_missed(measured: Measured, flag: str, kept: float, missed: float) -> None:
    [good], [bad] = judge(measured, flag, str(kept)), judge(measured, flag, str(missed))

    assert (good.is_missed, bad.is_missed) == (False, True)
    assert (str(good).split(":")[0], str(bad).split(":")[0]) == ("kept", "MISSED")


def test_without_flags_nothing_is_judged(measured: Measured) -> None:
    assert judge(measured) == []


@pytest.mark.parametrize("flag", [threshold.flag for threshold in THRESHOLDS if "rate" not in threshold.flag])
def test_what_was_not_measured_misses_every_threshold(flag: str) -> None:
    verdict, *_ = judge(Measured(Summary()), flag, "1")

    assert verdict.is_missed


def test_a_run_in_which_nothing_succeeded_is_missed_without_any_flag() -> None:
    [verdict] = judge(Measured(Summary()))

    assert verdict.is_missed
