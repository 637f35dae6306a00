"""The state directory of a stack: where its files lie, and the lock that lets one supervisor in."""

import fcntl
import os
import time
from pathlib import Path

from cli.stack.errors import StackError, StackRunsError


class StateDir:
    """Paths under the directory. `lock` is held as long as the supervisor lives; the kernel gives it back."""

    def __init__(self, path: Path):
        self.path = path.expanduser().resolve()
        self._lock: int | None = None

    @property
    def stack_file(self) -> Path:
        return self.path / "stack.json"

    @property
    def secrets_file(self) -> Path:
        return self.path / "secrets.json"

    @property
    def record_file(self) -> Path:
        return self.path / "processes.json"

    @property
    def env_file(self) -> Path:
        return self.path / "env"

    @property
    def redis_dir(self) -> Path:
        return self.path / "redis"

    @property
    def postgres_dir(self) -> Path:
        return self.path / "postgres"

    def log(self, name: str) -> Path:
        return self.path / "logs" / f"{name}.log"

    def create(self) -> None:
        """Make the directory, private to its owner. Raises StackError."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.log("any").parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(f"{self.path} cannot be used ({error.strerror}): choose another --state-dir.") from error

    def lock(self) -> None:
        """Take the lock for this process' life. Raises StackRunsError when another supervisor has it."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StackError(f"{self.path} cannot be used ({error.strerror}): choose another --state-dir.") from error
        if not _try_lock(descriptor):
            os.close(descriptor)
            raise StackRunsError(f"A stack already runs in {self.path}; `drover down` stops it.")
        self._lock = descriptor

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_locked(self) -> bool:
        """Whether a supervisor runs here (another process, or this one)."""
        if not (self.path / "lock").exists():
            return False
        try:
            self.lock()
        except StackRunsError:
            return True
        self.unlock()
        return False


def _try_lock(descriptor: int) -> bool:
    """Three times: `is_locked` of another command holds the lock for a moment."""
    for _ in range(3):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False
