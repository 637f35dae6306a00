"""The limits of the container that this process runs in, read from its control group."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
UNLIMITED_BYTES = 1 << 60  # cgroup v1 says "no limit" with a number near 2^63


def cpu_limit(cgroup: Path = CGROUP) -> float | None:
    """CPUs that the container may use, by cgroup v2's cpu.max or v1's quota; None without a limit."""
    if words := _words(cgroup / "cpu.max"):
        return int(words[0]) / int(words[1]) if words[0] != "max" else None
    quota = _number(cgroup / "cpu" / "cpu.cfs_quota_us")
    period = _number(cgroup / "cpu" / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 else None


def memory_limit_bytes(cgroup: Path = CGROUP) -> int | None:
    """Memory that the container may use; None without a limit."""
    limits = (_number(cgroup / "memory.max"), _number(cgroup / "memory" / "memory.limit_in_bytes"))
    return min((limit for limit in limits if limit and limit < UNLIMITED_BYTES), default=None)


def allowed_cores() -> int:
    """Logical cores that the scheduler lets this process run on, whatever its control group's quota of their time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def within_cpu_limit(cores: int, cgroup: Path = CGROUP) -> int:
    """So many cores, or as many whole ones as the container may use if that is fewer; at least one."""
    limit = cpu_limit(cgroup)
    return max(1, min(cores, int(limit)) if limit else cores)


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if words and words[0].lstrip("-").isdecimal() else None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").split()
    except OSError:
        return []
