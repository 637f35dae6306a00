"""Waits for what must happen soon."""

import time
from collections.abc import Callable


def until(is_true: Callable[[], object], timeout_s: float = 10) -> None:
    """Poll until `is_true()`; fails the test when it takes too long."""
    end = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
