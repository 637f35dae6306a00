"""The injector: kills, freezes and cuts the processes of a stack, and notes when it did what to whom."""

import contextlib
import http.client
import os
import random
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import redis

from tests.stack import Stack, wait_until


@dataclass(frozen=True)
class Fault:
    """One thing that was done. `at` is time.monotonic(); a pause counts that begins within `window_s` after it.

    `job_ids`: the jobs that it hit, None if it may have hit all; `url`: the gateway that it hit.
    """

    kind: str
    target: str
    at: float
    window_s: float = 0.3
    job_ids: frozenset[str] | None = None
    url: str | None = None


class Injector:
    """Every choice comes from `chance`, so that a seed repeats a run as far as timing lets it."""

    def __init__(self, stack: Stack, chance: random.Random, faults: list[Fault] | None = None):
        self._stack = stack
        self.chance = chance
        self.faults: list[Fault] = [] if faults is None else faults

    def kill(self, role: str, name: str | None = None) -> Fault:
        """kill -9 of a random process of that role, or of the one called `name`.

        Where the role has several processes, waits until another one is up: the promise is about any *one*.
        """
        return self._signal(self._choose(role, name), signal.SIGKILL, "kill -9")

    def kill_now(self, process: dict[str, Any]) -> Fault:
        """kill -9 of that process, whatever the others do."""
        return self._signal(process, signal.SIGKILL, "kill -9")

    def terminate(self, role: str, name: str | None = None, *, window_s: float = 4.0) -> Fault:
        """SIGTERM likewise: a drain."""
        return self._signal(self._choose(role, name), signal.SIGTERM, "SIGTERM", window_s=window_s)

    def interrupt_postgres(self) -> Fault:
        """Postgres' immediate shutdown: as if its host had lost power."""
        return self._signal(self._choose("postgres", None), signal.SIGQUIT, "immediate stop")

    @contextlib.contextmanager
    def frozen(self, role: str, name: str | None = None) -> Iterator[dict[str, Any]]:
        """SIGSTOP for as long as the block takes, then SIGCONT."""
        process = self._choose(role, name)
        self._signal(process, signal.SIGSTOP, "SIGSTOP")
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process["pid"], signal.SIGCONT)

    @contextlib.contextmanager
    def down(self, role: str) -> Iterator[None]:
        """Killed and, for as long as the block takes, not started again: connections are refused."""
        supervisor = self._stack.supervisor_pid
        os.kill(supervisor, signal.SIGSTOP)
        try:
            self._signal(self._choose(role, None), signal.SIGQUIT if role == "postgres" else signal.SIGKILL, "outage")
            yield
        finally:
            os.kill(supervisor, signal.SIGCONT)

    def cut_connections(self, kind: str) -> Fault:
        """Redis closes all connections of a kind: normal or pubsub."""
        with self._redis() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        return self.note(Fault("CLIENT KILL", kind, time.monotonic()))

    def note(self, fault: Fault) -> Fault:
        """Count a fault that the scenario made itself."""
        self.faults.append(fault)
        return fault

    def jobs_of(self, pid: int) -> frozenset[str]:
        """The jobs that the worker with that pid has leased now."""
        with contextlib.suppress(redis.RedisError), self._redis() as client:
            leased = [job.decode() for job in client.zrange("jobs:leases", 0, -1)]
            workers = [client.hget(f"job:{job}", "worker") or b"" for job in leased]
            ours = f"-{pid}".encode()
            return frozenset(job for job, worker in zip(leased, workers, strict=True) if worker.endswith(ours))
        return frozenset()

    def _redis(self) -> redis.Redis:
        return redis.Redis.from_url(self._stack.redis_url, socket_timeout=3)

    def _choose(self, role: str, name: str | None) -> dict[str, Any]:
        """A process of that role that runs; a ready one if it must be answered for by another that is ready, too."""
        ready: list[dict[str, Any]] = []

        def can_spare_one() -> bool:
            ready[:] = [process for process in self._stack.processes_of(role) if is_up(process)]
            wanted = [process for process in ready if name in (None, process["name"])]
            return len(ready) >= min(2, len(self._stack.processes_of(role))) and bool(wanted)

        wait_until(can_spare_one, f"one {name or role} can be spared", timeout_s=60)
        return self.chance.choice([process for process in ready if name in (None, process["name"])])

    def _signal(self, process: dict[str, Any], number: int, kind: str, window_s: float = 0.3) -> Fault:
        role, address = process["role"], process["address"]
        job_ids = self.jobs_of(process["pid"]) if role == "worker" else None
        url = f"http://{address}" if role == "gateway" else None
        fault = Fault(kind, role, time.monotonic(), window_s, job_ids, url)
        with contextlib.suppress(ProcessLookupError):  # it died by itself meanwhile: the supervisor's log tells
            os.kill(process["pid"], number)
        return self.note(fault)


def is_ready(process: dict[str, Any]) -> bool:
    """Whether it runs and, if it is a service, says that it is ready."""
    if process["role"] in ("redis", "postgres"):
        return psutil.pid_exists(process["pid"])
    return get(process["address"], "/readyz")[0] == 200


def is_up(process: dict[str, Any]) -> bool:
    """The same, but a gateway counts that serves although what it needs is away: that is another process' fault."""
    return get(process["address"], "/livez")[0] == 200 if process["role"] == "gateway" else is_ready(process)


def scrape(address: str) -> str:
    """Its /metrics page; empty if it does not answer."""
    return get(address, "/metrics")[1]


def counter(page: str, name: str) -> float:
    """The sum over a counter's labels on one page of metrics."""
    return sum(float(value) for value in re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", page, re.MULTILINE))


def get(address: str, path: str) -> tuple[int, str]:
    """Status and text; (0, "") without an answer."""
    host, _, port = address.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
