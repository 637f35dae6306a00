import pytest

from cli.bench.outcome import Outcome
from cli.bench.summary import Summary


def answered(begun_s: float, ended_s: float, tokens: int = 10) -> Outcome:
    return Outcome(begun_s, ended_s, first_text_s=0.5, last_text_s=1.4, gaps_s=[0.3, 0.6], tokens=tokens)


def test_rates_are_over_the_time_from_the_first_beginning_to_the_last_end() -> None:
    summary = Summary()

    summary.add(answered(11, 13))
    summary.add(answered(10, 14))

    assert (summary.wall_s, summary.tokens_per_s, summary.requests_per_s) == (4, 5.0, 0.5)


def test_errors_are_counted_by_class_and_keep_a_sentence() -> None:
    summary = Summary()

    summary.add(answered(0, 1))
    for words in ("Slower.", "Slower!"):
        summary.add(Outcome(0, 1, error="429 rate_limit_exceeded", words=words))
    summary.add(Outcome(0, 1, error="broken stream", tokens=3, first_text_s=0.2))

    assert summary.errors == {"429 rate_limit_exceeded": 2, "broken stream": 1}
    assert summary.error_ratio == 0.75
    assert summary.words["429 rate_limit_exceeded"] == "Slower."


def test_an_erroneous_answer_counts_what_came_of_it_but_not_its_duration() -> None:
    summary = Summary()

    summary.add(Outcome(0, 9, error="broken stream", tokens=3, first_text_s=0.2))

    assert (summary.tokens, summary.first_text.count, summary.total.count, summary.requests_per_s) == (3, 1, 0, 0.0)


def test_figures_go_out_in_milliseconds_and_null_where_there_are_none() -> None:
    summary = Summary()
    summary.add(answered(0, 2))

    figures = summary.as_json()

    assert figures["first_token_ms"]["p50"] == 500
    assert figures["inter_token_ms"] == {
        "p50": pytest.approx(300, rel=0.01), "p90": 600, "p95": 600, "p99": 600, "mean": 450, "max": 600, "count": 2,
    }  # fmt: skip
    assert figures["per_token_ms"]["mean"] == 100
    assert Summary().as_json()["end_to_end_ms"]["p50"] is None
    assert Summary().as_json()["tokens_per_s"] == 0
