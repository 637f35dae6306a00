import pytest

from cli.bench.outcome import Outcome
from tests.load.timeline import MOST_WINDOWS, Timeline


def answered(begun_s: float, ended_s: float, first_text_s: float = 0.1) -> Outcome:
    length_s = ended_s - begun_s
    return Outcome(begun_s, ended_s, first_text_s=first_text_s, last_text_s=length_s, gaps_s=[0.01], tokens=12)


def test_requests_count_where_they_end_and_tokens_where_they_come() -> None:
    timeline = Timeline(100.0, 10.0)

    timeline.add(answered(100.0, 102.5))

    assert [window.total.count for window in timeline.windows] == [0, 0, 1]
    assert [window.tokens for window in timeline.windows] == [4, 4, 4]


def test_errors_and_queues_have_their_window() -> None:
    timeline = Timeline(0.0, 10.0)

    timeline.add(Outcome(0.0, 1.5, error="429"))
    for depth in (3.0, 7.0, None):
        timeline.note(1.2, users=2, queue_depth=depth)

    assert timeline.windows[1].errors == {"429": 1}
    assert (timeline.windows[1].queue_depth, timeline.windows[1].users) == (7.0, 2)
    assert timeline.windows[0].queue_depth is None


def test_a_long_run_has_no_more_windows_than_a_plot_can_show() -> None:
    timeline = Timeline(0.0, 86_400.0)

    timeline.note(86_399.0, users=1, queue_depth=None)

    assert len(timeline.windows) <= MOST_WINDOWS


def test_the_drift_is_the_last_quarter_s_first_tokens_over_the_first_quarter_s() -> None:
    timeline = Timeline(0.0, 40.0)

    for second in range(40):
        timeline.add(answered(second, second + 0.5, first_text_s=0.1 if second < 20 else 0.3))

    assert timeline.drift_ratio == pytest.approx(3, rel=0.03)


def test_too_few_answers_have_no_drift() -> None:
    timeline = Timeline(0.0, 40.0)

    timeline.add(answered(1, 2))

    assert timeline.drift_ratio is None
    assert Timeline(0.0, 40.0).drift_ratio is None
