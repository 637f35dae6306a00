"""Failed loads are remembered for a while, longer each time."""

import pytest

from shared.errors import ModelLoadError
from worker.load_failures import FIRST_PAUSE_S, LONGEST_PAUSE_S, LoadFailures

BROKEN = ModelLoadError("The file is cut off.")


def test_a_broken_model_is_not_tried_again_at_once() -> None:
    failures = LoadFailures()

    failures.remember("m", BROKEN, now=100)

    with pytest.raises(ModelLoadError, match="cut off") as raised:
        failures.check("m", now=100.4)
    assert raised.value.retry_after_s == pytest.approx(FIRST_PAUSE_S - 0.4)
    failures.check("m", now=100 + FIRST_PAUSE_S)
    failures.check("another", now=100)


def test_each_failure_in_a_row_doubles_the_pause_up_to_a_limit() -> None:
    failures = LoadFailures()
    for _ in range(20):
        failures.remember("m", BROKEN, now=0)

    with pytest.raises(ModelLoadError):
        failures.check("m", now=LONGEST_PAUSE_S - 1)
    failures.check("m", now=LONGEST_PAUSE_S)


def test_a_load_that_worked_clears_the_past() -> None:
    failures = LoadFailures()
    failures.remember("m", BROKEN, now=0)
    failures.remember("m", BROKEN, now=0)

    failures.forget("m")
    failures.remember("m", BROKEN, now=0)

    failures.check("m", now=FIRST_PAUSE_S)
