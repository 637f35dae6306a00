"""A whole Drover stack for a test: `drover up` in a folder of its own, and what the test needs to know of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli.stack.ports import Ports

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Stack:
    """A running stack. `api_key` is a user's, `admin_key` an admin's; both belong to the default tenant."""

    state_dir: Path

    def read(self) -> dict[str, Any]:
        described: dict[str, Any] = json.loads((self.state_dir / "stack.json").read_text())
        return described

    def __getattr__(self, name: str) -> Any:
        return self.read()[name]

    def pids(self, role: str) -> list[int]:
        return [process["pid"] for process in self.read()["processes"] if process["role"] == role]

    def processes_of(self, role: str) -> list[dict[str, Any]]:
        """Name, pid, address, … of each, as stack.json has them now."""
        return [process for process in self.read()["processes"] if process["role"] == role]

    @property
    def supervisor_pid(self) -> int:
        pid: int = json.loads((self.state_dir / "processes.json").read_text())["supervisor"]["pid"]
        return pid

    def log(self, name: str) -> str:
        return (self.state_dir / "logs" / f"{name}.log").read_text(errors="replace")

    def kill(self, role: str, index: int = 0) -> None:
        """kill -9 of one process of that role."""
        os.kill(self.pids(role)[index], signal.SIGKILL)

    def client(self, gateway: int = 0, *, api_key: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {api_key or self.api_key}"}
        return httpx.Client(base_url=self.gateways[gateway], headers=headers, timeout=60)

    def wait_until_ready(self) -> None:
        wait_until(lambda: all(_is_ready(url) for url in self.gateways), "every gateway is ready")

    def wait_until_whole(self) -> None:
        """Until every service is ready, not only enough of them to serve."""
        services = ("gateway", "worker", "session_service")
        addresses = [process["address"] for role in services for process in self.processes_of(role)]
        try:
            wait_until(lambda: all(_is_ready(f"http://{a}") for a in addresses), "every service is ready", 60)
        except AssertionError as error:
            missing = [address for address in addresses if not _is_ready(f"http://{address}")]
            raise AssertionError(f"{error}; {missing} are not:\n{self.log('supervisor')[-2000:]}") from error

    def another_tenants_key(self, *options: str) -> str:
        """A user's key of a tenant that exists only for this test; `options` of create-key, for its limits."""
        command = [sys.executable, "-m", "session_service.admin", "create-key", "--tenant", "another", "--role", "user"]
        command += options
        secrets = json.loads((self.state_dir / "secrets.json").read_text())
        environment = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "SESSION_KEY_PEPPER": secrets["key_pepper"],
            "DROVER_INTERNAL_TOKEN": secrets["internal_token"],
        }
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        key: str = json.loads(done.stdout)["api_key"]
        return key


@contextmanager
def running_stack(*options: str, **environment: str) -> Iterator[Stack]:
    """`drover up --detach` with `options`, and `drover down` at the end; leaves no process and no file behind."""
    state_dir = Path(tempfile.mkdtemp(prefix="drover-e2e-"))
    drover = [sys.executable, "-m", "cli.main"]
    variables = {**os.environ, **environment}
    try:
        port = str(Ports().any())  # not 8080: other stacks may run on this machine
        up = [*drover, "up", "--detach", "--state-dir", str(state_dir), "--port", port, *options]
        done = subprocess.run(up, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{_logs(state_dir)}"
        yield Stack(state_dir)
    finally:
        subprocess.run([*drover, "down", "--state-dir", str(state_dir)], cwd=ROOT, capture_output=True, timeout=60)
        shutil.rmtree(state_dir, ignore_errors=True)


def wait_until(is_true: Callable[[], object], what: str, timeout_s: float = 30) -> None:
    """Poll until `is_true()`; fails the test with `what` in its message when it takes too long."""
    end = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < end, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _logs(state_dir: Path) -> str:
    return "\n".join(f"== {log.name}\n{log.read_text()[-2000:]}" for log in sorted(state_dir.glob("logs/*.log")))
