"""A service beside those of a stack, with settings or code of its own, that takes part like any other."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.fault.faults import get, is_ready
from tests.servers import free_port
from tests.stack import ROOT, Stack, wait_until

_PORT_OF = {"gateway": "GATEWAY_PORT", "worker": "WORKER_METRICS_PORT", "session_service": "SESSION_PORT"}


@dataclass(frozen=True)
class Neighbour:
    """One extra process; `process` has the same fields as those of the stack."""

    role: str
    process: subprocess.Popen[bytes]
    address: str
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def is_live(self) -> bool:
        """Whether its /livez answers 200."""
        return get(self.address, "/livez")[0] == 200

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def neighbour(
    stack: Stack, role: str, settings: Mapping[str, str | None] | None = None, *, code: Path = ROOT
) -> Iterator[Neighbour]:
    """A process of that role from the checkout `code`, with the environment of its siblings and `settings` on top
    (None takes a variable away).

    Ready when the block begins, gone when it ends.
    """
    port = free_port()
    wanted = {**_environment_of(stack, role), _PORT_OF[role]: str(port), **(settings or {})}
    environment = {name: value for name, value in wanted.items() if value is not None}
    log = stack.state_dir / "logs" / f"neighbour-{role}-{port}.log"
    with log.open("wb") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", f"{role}.main"],
            cwd=code,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    made = Neighbour(role, started, f"127.0.0.1:{port}", log)
    described = {"role": role, "address": made.address, "pid": made.pid}
    try:
        wait_until(lambda: started.poll() is not None or is_ready(described), f"the extra {role} is ready", 60)
        assert started.poll() is None, log.read_text()[-3000:]
        yield made
    finally:
        if started.poll() is None:
            os.kill(started.pid, signal.SIGCONT)
            started.terminate()
            try:
                started.wait(40)
            except subprocess.TimeoutExpired:
                started.kill()
        started.wait()


def _environment_of(stack: Stack, role: str) -> Mapping[str, str]:
    """That of a process of the same role in the stack."""
    environment: dict[str, str] = psutil.Process(stack.pids(role)[0]).environ()
    return environment
