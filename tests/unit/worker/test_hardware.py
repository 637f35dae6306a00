"""What the machine gives this process, container limits included."""

from pathlib import Path

import psutil
import pytest

from worker.hardware import Gpu, decode_threads, detect, memory_bytes, useful_threads


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_a_container_the_whole_machine_counts(tmp_path: Path) -> None:
    assert memory_bytes(tmp_path) == psutil.virtual_memory().total
    assert decode_threads(tmp_path) >= 1


def test_a_containers_limits_count(tmp_path: Path) -> None:
    write(tmp_path, "memory.max", "1048576\n")
    write(tmp_path, "cpu.max", "100000 100000\n")

    assert memory_bytes(tmp_path) == 1048576
    assert decode_threads(tmp_path) == 1


def test_a_container_without_limits_changes_nothing(tmp_path: Path) -> None:
    before = decode_threads(tmp_path)
    write(tmp_path, "memory.max", "max\n")
    write(tmp_path, "cpu.max", "max 100000\n")

    assert memory_bytes(tmp_path) == psutil.virtual_memory().total
    assert decode_threads(tmp_path) == before


def test_layers_go_to_the_gpu_only_if_there_is_one(tmp_path: Path) -> None:
    assert detect([Gpu("gpu", 8 * 2**30)], cgroup=tmp_path).n_gpu_layers == -1
    assert detect(cgroup=tmp_path).n_gpu_layers == 0


def test_the_budget_of_gpus_is_a_share_of_their_memory_and_of_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, "memory.max", str(2**40))

    found = detect([Gpu("a", 10_000), Gpu("b", 20_000)], cgroup=tmp_path)

    assert found.budget_bytes == 27_000
    assert found.host_budget_bytes > 27_000


def test_some_memory_is_left_for_others(tmp_path: Path) -> None:
    found = detect(cgroup=tmp_path)

    assert 0 < found.budget_bytes == found.host_budget_bytes < found.memory_bytes


def test_a_containers_limit_bounds_the_budget(tmp_path: Path) -> None:
    write(tmp_path, "memory.max", "1000000\n")

    assert detect(cgroup=tmp_path).budget_bytes == 700_000


@pytest.mark.parametrize(("megabytes", "threads"), [(2, 1), (15, 1), (16, 2), (47, 3), (500, 8)])
def test_a_small_model_takes_fewer_threads(megabytes: int, threads: int) -> None:
    assert useful_threads(megabytes * 1024 * 1024, at_most=8) == threads
