"""What the gateway measures of its streams."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from shared.telemetry import instruments, traces

SAMPLED_GAPS = 8
"""One of so many gaps between tokens goes into the histogram: to record one costs as much as to relay it."""


class StreamMeter:
    """Counts the jobs that are being followed and times their tokens."""

    def __init__(self) -> None:
        self.active = 0
        instruments.observe("drover_streams_active", lambda: [(self.active, {})])

    @contextmanager
    def following(self, model: str, *, is_return: bool = False) -> Iterator["TokenTimer"]:
        """`is_return`: the job was there before this caller, so its first token here is no measure of anything."""
        self.active += 1
        try:
            yield TokenTimer(model, times_first=not is_return)
        finally:
            self.active -= 1


class TokenTimer:
    """Times one job's tokens as its caller gets them."""

    def __init__(self, model: str, *, times_first: bool = True):
        self._labels = {"model": model}
        self._clock = asyncio.get_running_loop().time
        self._started_at = self._clock()
        self._last_at = 0.0
        self._times = 0
        self._times_first = times_first

    def tokens_came(self) -> None:
        place = self._times % SAMPLED_GAPS
        if place == 0:
            self._last_at = self._clock()
            if not self._times:
                traces.happened("first token")
            if self._times_first and not self._times:
                instruments.TIME_TO_FIRST_TOKEN.record(self._last_at - self._started_at, self._labels)
        elif place == 1:
            instruments.INTER_TOKEN.record(self._clock() - self._last_at, self._labels)
        self._times += 1
