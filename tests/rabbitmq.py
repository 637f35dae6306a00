"""A private RabbitMQ for tests: given by TEST_RABBITMQ_URL, else the machine's own server as a node in a new folder."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from kombu import Connection

from tests.servers import free_port

START_TIMEOUT_S = 90.0  # 6 s alone; the machine may be busy
_BINARIES = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
"""Debian's wrapper on the path would change the user and the folder, so its inner script comes first."""


class RabbitMQ:
    """One node on ports of its own, with its own epmd, so that it meets no other node of the machine."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._port, self._epmd_port = free_port(), free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def start(self) -> None:
        """Return when it takes connections; after `kill` it has what it had on disk. Raises TimeoutError."""
        self._run(["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"])
        self._run([_binary() or "rabbitmq-server"])
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end:
            with suppress(OSError), Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
                return
            time.sleep(0.1)
        raise TimeoutError(f"RabbitMQ has not started:\n{self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        for process in reversed(self._processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    @property
    def _log(self) -> Path:
        return self._folder / "rabbitmq.log"

    def _run(self, command: list[str]) -> None:
        environment = {
            **os.environ,
            "HOME": str(self._folder),  # for the cookie
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"drover-test-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",  # one scheduler is enough for hints
        }
        with self._log.open("ab") as log:
            # A session of its own: the script starts other programs, and all of them end with the test.
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )


def _binary() -> str | None:
    return next(filter(None, map(shutil.which, _BINARIES)), None)


@contextmanager
def rabbitmq() -> Iterator[RabbitMQ]:
    """A new, empty node. Skips the test on a machine without RabbitMQ, fails it in CI."""
    if _binary() is None:
        sentence = "RabbitMQ is missing: apt-get install rabbitmq-server"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    folder = Path(tempfile.mkdtemp(prefix="drover-test-rabbitmq-"))
    server = RabbitMQ(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def rabbitmq_server() -> Iterator[str]:
    """A RabbitMQ for a whole run; gives its URL."""
    if url := os.environ.get("TEST_RABBITMQ_URL"):
        yield url
    else:
        with rabbitmq() as server:
            yield server.url
