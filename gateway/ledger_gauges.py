"""What the gateway shows of the ledger: it is there also when no worker lives."""

import asyncio

from gateway.jobs import Jobs
from shared.catalogue import Catalogue
from shared.errors import UnavailableError
from shared.hints import queue_of
from shared.telemetry import instruments
from shared.telemetry.instruments import ObservedGauge, Reading

SAMPLE_INTERVAL_S = 2.0

READ_FROM_REDIS: tuple[ObservedGauge, ...] = (
    "drover_queue_depth",
    "drover_queue_oldest_age_seconds",
    "drover_workers",
    "drover_outbox_depth",
    "drover_outbox_oldest_age_seconds",
    "drover_redis_memory_bytes",
    "drover_redis_memory_ratio",
    "drover_redis_up",
)


class LedgerGauges:
    """Samples the ledger, because a metric's reader may not wait for Redis. Every gateway shows the same."""

    def __init__(self, jobs: Jobs, catalogue: Catalogue):
        self._jobs = jobs
        self._catalogue = catalogue
        self._readings: dict[ObservedGauge, list[Reading]] = {}
        for gauge in READ_FROM_REDIS:
            instruments.observe(gauge, lambda gauge=gauge: self._readings.get(gauge, []))  # type: ignore[misc]

    async def run(self) -> None:
        """Sample until cancelled. While Redis is away only that is shown."""
        while True:
            try:
                self._readings = await self._sample()
            except UnavailableError:
                self._readings = {"drover_redis_up": [(0, {})]}
            await asyncio.sleep(SAMPLE_INTERVAL_S)

    async def _sample(self) -> dict[ObservedGauge, list[Reading]]:
        outbox_depth, outbox_age_s = await self._jobs.outbox_backlog()
        used_bytes, used_ratio = await self._jobs.redis_memory()
        return {
            **await self._queues(),
            "drover_workers": await self._workers(),
            "drover_outbox_depth": [(outbox_depth, {})],
            "drover_outbox_oldest_age_seconds": [(outbox_age_s, {})],
            "drover_redis_memory_bytes": [(used_bytes, {})],
            "drover_redis_memory_ratio": [(used_ratio, {})],
            "drover_redis_up": [(1, {})],
        }

    async def _queues(self) -> dict[ObservedGauge, list[Reading]]:
        depth: list[Reading] = []
        age_s: list[Reading] = []
        for entry in self._catalogue.of_kind("chat"):
            jobs, oldest_s = await self._jobs.queue(entry.name)
            depth.append((jobs, {"queue": queue_of(entry.name)}))
            age_s.append((oldest_s, {"queue": queue_of(entry.name)}))
        return {"drover_queue_depth": depth, "drover_queue_oldest_age_seconds": age_s}

    async def _workers(self) -> list[Reading]:
        workers = await self._jobs.workers()
        draining = sum(worker.is_draining for worker in workers)
        return [(len(workers) - draining, {"state": "ready"}), (draining, {"state": "draining"})]
