"""SIGINT, SIGTERM and SIGHUP as a wish to stop, and a second one as a wish to stop at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopSignals:
    """`stopping` is set by the first signal; `count` tells how many have come."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.count = 0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """While this is open, the signals are noted instead of ending the process."""
        before = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        self.stopping.set()
