"""What the machine gives this process: cores and memory, container limits included, and GPUs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from shared.cgroup import CGROUP, allowed_cores, memory_limit_bytes, within_cpu_limit

BYTES_PER_THREAD = 16 * 1024 * 1024
"""Weights that keep a thread busy between two barriers. With the 2 MB of drover-tiny on two cores, one thread made 1.15
times the tokens of two; with another program on one core 1.7 times at 16 streams, nine times at one: the figures are
in docs/performance.md."""

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
    return Hardware(threads=decode_threads(cgroup), memory_bytes=memory_bytes(cgroup), gpus=tuple(gpus))


def decode_threads(cgroup: Path = CGROUP) -> int:
    """One thread per physical core that this process may use: hyper-threads slow matrix products down."""
    allowed = allowed_cores()
    logical = psutil.cpu_count() or allowed
    physical = psutil.cpu_count(logical=False) or logical
    return within_cpu_limit(max(1, allowed * physical // logical), cgroup)


def memory_bytes(cgroup: Path = CGROUP) -> int:
    """The machine's memory, or the container's limit if that is lower."""
    total = int(psutil.virtual_memory().total)
    return min(total, memory_limit_bytes(cgroup) or total)


def useful_threads(weights_bytes: int, *, at_most: int) -> int:
    """How many threads pay for a model of that size: they meet at a barrier some hundred times in every step."""
    return min(at_most, 1 + weights_bytes // BYTES_PER_THREAD)
