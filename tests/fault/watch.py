"""Watches what must stay flat: memory and descriptors of each process, Redis' memory and its keys."""

import contextlib
import statistics
import threading
import time
from collections import defaultdict

import psutil
import redis
from redis.exceptions import RedisError

from tests.stack import Stack

_EVERY_S = 2.0
_MAX_DESCRIPTOR_GROWTH = 30
_MAX_MEMORY_GROWTH = 1.25


class Watch:
    """Samples within its block. Figures of one process count only as long as it keeps its pid."""

    def __init__(self, stack: Stack):
        self._stack = stack
        self._samples: dict[str, list[float]] = defaultdict(list)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._pids = {process["name"]: process["pid"] for role in _ROLES for process in stack.processes_of(role)}
        self._begun = time.monotonic()

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def last(self) -> str:
        """The newest sample of the most telling series."""
        shown = ("gateway-1 MiB", "redis MiB", "redis keys")
        return ", ".join(f"{name} {self._samples[name][-1]:.0f}" for name in shown if self._samples[name])

    def figures(self) -> dict[str, str]:
        """Median of the first and of the last fifth of each series."""
        return {name: f"{first:.0f} → {last:.0f}" for name, (first, last) in self._ends().items()}

    def leaks(self) -> list[str]:
        """A sentence for each series that did not stay flat. Meant for runs of many minutes."""
        found = []
        for name, (first, last) in self._ends().items():
            is_descriptors = name.endswith("descriptors")
            limit = first + _MAX_DESCRIPTOR_GROWTH if is_descriptors else first * _MAX_MEMORY_GROWTH + 20
            if last > limit and not name.endswith("keys"):
                found.append(f"{name} grew from {first:.0f} to {last:.0f}")
        return found

    def _ends(self) -> dict[str, tuple[float, float]]:
        ends = {}
        for name, values in sorted(self._samples.items()):
            fifth = max(1, len(values) // 5)
            ends[name] = statistics.median(values[:fifth]), statistics.median(values[-fifth:])
        return ends

    def _watch(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            for name, pid in self._pids.items():
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(pid)
                    self._samples[f"{name} MiB"].append(process.memory_info().rss / 2**20)
                    self._samples[f"{name} descriptors"].append(process.num_fds())
            with (
                contextlib.suppress(RedisError),
                redis.Redis.from_url(self._stack.redis_url, socket_timeout=2) as client,
            ):
                self._samples["redis keys"].append(client.dbsize())
                self._samples["redis used MiB"].append(client.info("memory")["used_memory"] / 2**20)


_ROLES = ("gateway", "session_service", "redis", "worker")
