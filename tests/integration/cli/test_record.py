"""Leftovers of a supervisor that died."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.stack.record import Identity, Record, end_leftovers


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def record_of(process: subprocess.Popen[bytes], path: Path, *, started_s_off: float = 0) -> Identity:
    identity = Identity.of(process.pid, signal.SIGINT)
    assert identity is not None
    noted = Identity(identity.pid, identity.started_at + started_s_off, identity.stop_signal)
    Record(supervisor=noted, children=[noted]).write(path)
    return identity


def test_leftovers_are_ended_and_forgotten(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    path = tmp_path / "processes.json"
    identity = record_of(sleeper, path)

    assert end_leftovers(path) == 1

    assert not identity.is_alive()
    assert not path.exists()


def test_a_process_that_only_has_the_same_pid_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    path = tmp_path / "processes.json"
    identity = record_of(sleeper, path, started_s_off=-100)

    assert end_leftovers(path) == 0

    assert identity.is_alive()


def test_without_a_record_there_is_nothing_to_end(tmp_path: Path) -> None:
    assert end_leftovers(tmp_path / "processes.json") == 0
