from pathlib import Path

import pytest

from shared.cgroup import allowed_cores, cpu_limit, memory_limit_bytes, within_cpu_limit


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_a_container_there_are_no_limits(tmp_path: Path) -> None:
    assert cpu_limit(tmp_path) is None
    assert memory_limit_bytes(tmp_path) is None


def test_cgroup_v2_limits_count(tmp_path: Path) -> None:
    write(tmp_path, "memory.max", "1048576\n")
    write(tmp_path, "cpu.max", "250000 100000\n")

    assert memory_limit_bytes(tmp_path) == 1048576
    assert cpu_limit(tmp_path) == 2.5


def test_cgroup_v2_says_unlimited_in_a_word(tmp_path: Path) -> None:
    write(tmp_path, "memory.max", "max\n")
    write(tmp_path, "cpu.max", "max 100000\n")

    assert memory_limit_bytes(tmp_path) is None
    assert cpu_limit(tmp_path) is None


def test_cgroup_v1_limits_count(tmp_path: Path) -> None:
    write(tmp_path, "memory/memory.limit_in_bytes", "2097152\n")
    write(tmp_path, "cpu/cpu.cfs_quota_us", "50000\n")
    write(tmp_path, "cpu/cpu.cfs_period_us", "100000\n")

    assert memory_limit_bytes(tmp_path) == 2097152
    assert cpu_limit(tmp_path) == 0.5


def test_cgroup_v1_says_unlimited_with_large_or_negative_numbers(tmp_path: Path) -> None:
    write(tmp_path, "memory/memory.limit_in_bytes", "9223372036854771712\n")
    write(tmp_path, "cpu/cpu.cfs_quota_us", "-1\n")
    write(tmp_path, "cpu/cpu.cfs_period_us", "100000\n")

    assert memory_limit_bytes(tmp_path) is None
    assert cpu_limit(tmp_path) is None


@pytest.mark.parametrize(
    ("limit", "cores", "usable"), [("max", 8, 8), ("250000", 8, 2), ("250000", 1, 1), ("50000", 8, 1), ("max", 0, 1)]
)
def test_cores_are_bounded_by_the_limit_and_never_none(tmp_path: Path, limit: str, cores: int, usable: int) -> None:
    write(tmp_path, "cpu.max", f"{limit} 100000\n")

    assert within_cpu_limit(cores, tmp_path) == usable


def test_this_process_may_run_somewhere() -> None:
    assert allowed_cores() >= 1
