"""What the machine gives this process: cores and memory, container limits included, and GPUs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

BYTES_PER_THREAD = 16 * 1024 * 1024
"""Weights that keep a thread busy between two barriers. With the 2 MB of drover-tiny on two cores, one thread made 1.15
times the tokens of two; with another program on one core 1.7 times at 16 streams, nine times at one: the figures are
in docs/performance.md."""

CGROUP = Path("/sys/fs/cgroup")
UNLIMITED_BYTES = 1 << 60  # cgroup v1 says "no limit" with a number near 2^63
BUDGET_SHARE = 0.7  # the rest is for Python, llama.cpp's compute buffers and the page cache
GPU_BUDGET_SHARE = 0.9  # the rest is for compute buffers


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU with memory of its own, and what is free of it."""

    name: str
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Hardware:
    """`threads` for decoding, `memory_bytes` of the host that this process may use, the GPUs that models go to."""

    threads: int
    memory_bytes: int
    gpus: tuple[Gpu, ...] = ()

    @property
    def n_gpu_layers(self) -> int:
        """For llama.cpp: all (-1) or none."""
        return -1 if self.gpus else 0

    @property
    def budget_bytes(self) -> int:
        """Default budget of the model cache: of the GPUs' memory alone if there are any, of the host's otherwise."""
        if self.gpus:
            return int(sum(gpu.free_bytes for gpu in self.gpus) * GPU_BUDGET_SHARE)
        return self.host_budget_bytes

    @property
    def host_budget_bytes(self) -> int:
        """What models may take of the host's memory."""
        return int(self.memory_bytes * BUDGET_SHARE)


def detect(gpus: Sequence[Gpu] = (), *, cgroup: Path = CGROUP) -> Hardware:
    """Look at the machine; `gpus`: those that the engine can use and is to use."""
    return Hardware(threads=decode_threads(cgroup), memory_bytes=memory_limit_bytes(cgroup), gpus=tuple(gpus))


def decode_threads(cgroup: Path = CGROUP) -> int:
    """One thread per physical core that this process may use: hyper-threads slow matrix products down."""
    allowed = len(os.sched_getaffinity(0))
    logical = psutil.cpu_count() or allowed
    physical = psutil.cpu_count(logical=False) or logical
    usable = max(1, allowed * physical // logical)
    limit = _cpu_limit(cgroup)
    return max(1, min(usable, int(limit))) if limit else usable


def memory_limit_bytes(cgroup: Path = CGROUP) -> int:
    """The machine's memory, or the container's limit if that is lower."""
    total = psutil.virtual_memory().total
    limits = (_number(cgroup / "memory.max"), _number(cgroup / "memory" / "memory.limit_in_bytes"))
    return int(min([total, *(limit for limit in limits if limit and limit < UNLIMITED_BYTES)]))


def _cpu_limit(cgroup: Path) -> float | None:
    """CPUs that the container may use, by cgroup v2's cpu.max or v1's quota; None without a limit."""
    if words := _words(cgroup / "cpu.max"):
        return int(words[0]) / int(words[1]) if words[0] != "max" else None
    quota = _number(cgroup / "cpu" / "cpu.cfs_quota_us")
    period = _number(cgroup / "cpu" / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 else None


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if words and words[0].lstrip("-").isdecimal() else None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []


def useful_threads(weights_bytes: int, *, at_most: int) -> int:
    """How many threads pay for a model of that size: they meet at a barrier some hundred times in every step."""
    return min(at_most, 1 + weights_bytes // BYTES_PER_THREAD)
