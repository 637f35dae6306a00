"""Failed loads are remembered for a while, longer each time."""

import pytest

from shared.catalogue import ModelEntry
from shared.errors import InsufficientMemoryError, ModelLoadError, ModelUnavailableError
from worker.load_failures import FIRST_PAUSE_S, LONGEST_PAUSE_S, LoadFailures

BROKEN = ModelLoadError("The file is cut off.")
M = ModelEntry(name="m", file="m.gguf", kind="chat", context_length=64)
OTHER = ModelEntry(name="other", file="m.gguf", kind="chat", context_length=64)


def test_a_broken_model_is_not_tried_again_at_once() -> None:
    failures = LoadFailures()

    failures.remember(M, BROKEN, now=100)

    with pytest.raises(ModelLoadError, match="cut off") as raised:
        failures.check(M, now=100.4)
    assert raised.value.retry_after_s == pytest.approx(FIRST_PAUSE_S - 0.4)
    failures.check(M, now=100 + FIRST_PAUSE_S)
    failures.check(OTHER, now=100)


def test_each_failure_in_a_row_doubles_the_pause_up_to_a_limit() -> None:
    failures = LoadFailures()
    for _ in range(20):
        failures.remember(M, BROKEN, now=0)

    with pytest.raises(ModelLoadError):
        failures.check(M, now=LONGEST_PAUSE_S - 1)
    failures.check(M, now=LONGEST_PAUSE_S)


def test_a_load_that_worked_clears_the_past() -> None:
    failures = LoadFailures()
    failures.remember(M, BROKEN, now=0)
    failures.remember(M, BROKEN, now=0)

    failures.forget(M)
    failures.remember(M, BROKEN, now=0)

    failures.check(M, now=FIRST_PAUSE_S)


def test_a_changed_entry_may_be_tried_at_once() -> None:
    failures = LoadFailures()

    failures.remember(M, BROKEN, now=0)

    failures.check(M.model_copy(update={"sha256": "0" * 64}), now=0)


def test_a_model_that_is_too_large_is_remembered_with_its_own_error() -> None:
    failures = LoadFailures()

    failures.remember(M, InsufficientMemoryError("Too large."), now=0)

    with pytest.raises(InsufficientMemoryError, match="Too large"):
        failures.check(M, now=0.5)
    assert failures.pauses(now=0.25) == {M: FIRST_PAUSE_S - 0.25}


def test_a_failure_of_the_moment_is_not_remembered() -> None:
    failures = LoadFailures()

    failures.remember(M, ModelUnavailableError(), now=0)

    failures.check(M, now=0)
    assert failures.pauses(now=0) == {}
