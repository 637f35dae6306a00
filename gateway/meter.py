"""What the gateway measures of its streams."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.jobs import Jobs
from shared.catalogue import Catalogue
from shared.errors import UnavailableError
from shared.hints import queue_of
from shared.telemetry import instruments
from shared.telemetry.instruments import Reading

QUEUE_SAMPLE_INTERVAL_S = 2.0
SAMPLED_GAPS = 8
"""One of so many gaps between tokens goes into the histogram: to record one costs as much as to relay it."""


class StreamMeter:
    """Counts the jobs that are being followed and times their tokens."""

    def __init__(self) -> None:
        self.active = 0
        instruments.observe("drover_streams_active", lambda: [(self.active, {})])

    @contextmanager
    def following(self, model: str) -> Iterator["TokenTimer"]:
        self.active += 1
        try:
            yield TokenTimer(model)
        finally:
            self.active -= 1


class TokenTimer:
    """Times one job's tokens as its caller gets them."""

    def __init__(self, model: str):
        self._labels = {"model": model}
        self._clock = asyncio.get_running_loop().time
        self._started_at = self._clock()
        self._last_at = 0.0
        self._times = 0

    def tokens_came(self) -> None:
        place = self._times % SAMPLED_GAPS
        if place == 0:
            self._last_at = self._clock()
            if not self._times:
                instruments.TIME_TO_FIRST_TOKEN.record(self._last_at - self._started_at, self._labels)
        elif place == 1:
            instruments.INTER_TOKEN.record(self._clock() - self._last_at, self._labels)
        self._times += 1


class QueueGauge:
    """Samples the queues, because a metric's reader may not wait for Redis."""

    def __init__(self, jobs: Jobs, catalogue: Catalogue):
        self._jobs = jobs
        self._catalogue = catalogue
        self._depth: list[Reading] = []
        self._age_s: list[Reading] = []
        instruments.observe("drover_queue_depth", lambda: self._depth)
        instruments.observe("drover_queue_oldest_age_seconds", lambda: self._age_s)

    async def run(self) -> None:
        """Sample until cancelled. While Redis is away there is nothing to show."""
        while True:
            try:
                await self._sample()
            except UnavailableError:
                self._depth, self._age_s = [], []
            await asyncio.sleep(QUEUE_SAMPLE_INTERVAL_S)

    async def _sample(self) -> None:
        depth: list[Reading] = []
        age_s: list[Reading] = []
        for entry in self._catalogue.of_kind("chat"):
            jobs, oldest_s = await self._jobs.queue(entry.name)
            depth.append((jobs, {"queue": queue_of(entry.name)}))
            age_s.append((oldest_s, {"queue": queue_of(entry.name)}))
        self._depth, self._age_s = depth, age_s
