"""The supervisor's record of its processes, by which a later command finds those of a supervisor that died."""

import contextlib
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from cli.stack.files import read_json, write_private_json


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same pid.

    `started_at` in seconds since the epoch; `stop_signal` is what ends it gracefully.
    """

    pid: int
    started_at: float
    stop_signal: int = signal.SIGTERM

    @classmethod
    def of(cls, pid: int, stop_signal: int = signal.SIGTERM) -> "Identity | None":
        """None when no such process exists."""
        try:
            return cls(pid, psutil.Process(pid).create_time(), stop_signal)
        except psutil.Error:
            return None

    def is_alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.started_at) < 1
            return is_same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def send(self, signal_number: int) -> None:
        """Send a signal if it still runs."""
        if self.is_alive():
            with contextlib.suppress(psutil.Error):
                psutil.Process(self.pid).send_signal(signal_number)


@dataclass(frozen=True)
class Record:
    """Who supervises, and whom."""

    supervisor: Identity
    children: list[Identity]

    @classmethod
    def read(cls, path: Path) -> "Record | None":
        """None when there is no usable record."""
        content = read_json(path) or {}
        try:
            return cls(Identity(**content["supervisor"]), [Identity(**child) for child in content["children"]])
        except (KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        write_private_json(path, asdict(self))


def end_leftovers(path: Path, timeout_s: float = 10) -> int:
    """End the children of a supervisor that is gone, gracefully at first. Answers how many there were."""
    record = Record.read(path)
    alive = [child for child in record.children if child.is_alive()] if record else []
    for child in alive:
        child.send(child.stop_signal)
    wait_for_end(alive, timeout_s)
    for child in alive:
        child.send(signal.SIGKILL)
    wait_for_end(alive, 5)
    path.unlink(missing_ok=True)
    return len(alive)


def wait_for_end(identities: list[Identity], timeout_s: float) -> bool:
    """Wait until none of them runs; False when some still do after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while any(identity.is_alive() for identity in identities):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
