"""One process of the stack: how it is started, asked whether it is ready, and ended."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cli.settings import PROJECT_DIR
from cli.stack.description import Role
from cli.stack.record import Identity

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None  # loaded here: not after a fork
_LOG_LIMIT_BYTES = 50 << 20


@dataclass(frozen=True)
class ProcessSpec:
    """What to run. `is_ready` is asked until it says yes; `is_alive`, if there is such a question, as long as it runs;
    `address` is for the progress line.

    `stop_signal` ends the process gracefully within `stop_timeout_s`; `orphan_signal` is what the kernel sends it when
    the supervisor dies without a word (Linux).
    """

    name: str
    role: Role
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    is_ready: Callable[[], bool] = field(repr=False)
    is_alive: Callable[[], bool] | None = field(default=None, repr=False)
    address: str = ""
    start_timeout_s: float = 60
    stop_signal: int = signal.SIGTERM
    stop_timeout_s: float = 10
    orphan_signal: int = signal.SIGKILL
    user: str | None = None


class Child:
    """A started process; always a child of this process, so that nothing else can take its pid before `exit_code`."""

    def __init__(self, spec: ProcessSpec):
        self.spec = spec
        self.started = time.monotonic()
        self._process = spawn(spec)
        self.pid = self._process.pid
        self.identity = Identity.of(self.pid, spec.stop_signal)

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.started

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        self._process.send_signal(self.spec.stop_signal)

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended within that time."""
        try:
            self._process.wait(max(timeout_s, 0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it at once, with whatever it started in its process group, unless it has ended by itself."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def last_words(self, lines: int = 12) -> str:
        """The end of its log."""
        return "\n".join(self.spec.log.read_text(errors="replace").splitlines()[-lines:])


def spawn(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    """Start it in a session of its own (Ctrl-C reaches only the supervisor), output appended to its log.

    Call this from the main thread: the kernel ties the orphan signal to the thread that forks.
    """
    if spec.log.exists() and spec.log.stat().st_size > _LOG_LIMIT_BYTES:
        spec.log.replace(spec.log.with_suffix(".log.1"))
    log = os.open(spec.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            spec.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(spec.environment),
            cwd=PROJECT_DIR,
            start_new_session=True,
            preexec_fn=partial(_die_with, os.getpid(), spec.orphan_signal),
            **as_user(spec.user),
        )
    finally:
        os.close(log)


def as_user(user: str | None) -> dict[str, Any]:
    """The arguments of Popen that make a process run as that user; none for the present one."""
    return {} if user is None else {"user": user, "group": _group_of(user), "extra_groups": []}


def _group_of(user: str) -> int:
    import pwd  # not on every platform

    return pwd.getpwnam(user).pw_gid


def _die_with(parent: int, orphan_signal: int) -> None:
    """Runs in the child after its user is set (a change of user would clear the death signal)."""
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, orphan_signal, 0, 0, 0)
    if os.getppid() != parent:  # the supervisor died between fork and prctl
        os._exit(1)
