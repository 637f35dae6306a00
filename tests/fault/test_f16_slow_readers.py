"""F16: clients that read a byte a second, or nothing at all, beside others that read."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil

from tests.fault.arena import Arena, LoadPlan
from tests.fault.asking import ask
from tests.fault.faults import Fault
from tests.fault.figures import Quantiles
from tests.fault.load import Load
from tests.fault.neighbour import Neighbour, neighbour
from tests.stack import wait_until

STALL_S = 1.0
OTHERS = LoadPlan(streams=4, tokens=150, sessions=0)
MIB_PER_READER = 0.5
"""A full buffer of uvicorn (64 KiB), a full buffer of events (64 KiB), and what a page of the log is in JSON."""

MIB_FOR_ALL = 32
RUNNING = 24
"""So many ask for streams of their own and leave slots for the others; more of them read one that has ended, again."""

TOKENS = 400
WAITING_S = 180.0
SMALL_BYTES = 4096


def scenario(arena: Arena) -> None:
    readers = arena.count(short=24, long=200)
    with neighbour(arena.stack, "gateway", {"GATEWAY_SEND_STALL_S": str(STALL_S)}) as gateway:
        arena.gateways = lambda: [gateway.url]
        with arena.load(OTHERS) as calm:
            arena.sleep(1, 1.5)
        ended = _ended_job(arena) if readers > RUNNING else ""
        with (
            _Memory(gateway.pid) as memory,
            arena.load(OTHERS) as beside,
            _bad_readers(arena, gateway, readers, ended),
        ):
            arena.sleep(1, 1.5)
            ports = _ports_of(gateway)
            _wait_until_cut_off(arena, gateway, readers)
            cut_off = gateway.log.read_text().count("client_reads_nothing")
            arena.figure("cut off because they read nothing", cut_off)
            arena.expect(cut_off > 0, "nobody was cut off: what the bad readers ask for is too small")
            arena.figure("connections of bad readers seen", len(ports))
    arena.gateways = lambda: arena.stack.gateways
    arena.figure("others' first token, calm → beside (s)", f"{_first_tokens(calm)} → {_first_tokens(beside)}")
    arena.figure("gateway's memory (MiB)", f"{memory.before:.0f} → {memory.peak:.0f} at most")
    bound = memory.before + readers * MIB_PER_READER + MIB_FOR_ALL
    arena.expect(memory.peak < bound, f"the gateway's memory grew to {memory.peak:.0f} MiB, over {bound:.0f}")


def _wait_until_cut_off(arena: Arena, gateway: Neighbour, readers: int) -> None:
    """The server must let go of every bad reader's connection, and their jobs of their slots."""
    begun = time.monotonic()
    others = 2 * OTHERS.streams  # one that ends while the next begins
    wait_until(lambda: len(_ports_of(gateway)) <= others, f"{readers} bad readers are cut off", WAITING_S)
    arena.figure(f"all bad readers gone, stall limit {STALL_S} s (s)", round(time.monotonic() - begun, 1))
    with arena.redis() as client:
        wait_until(lambda: client.zcard("jobs:leases") <= others, "their slots are free", WAITING_S)


@contextlib.contextmanager
def _bad_readers(arena: Arena, gateway: Neighbour, count: int, ended: str) -> Iterator[None]:
    """Half of them read a byte a second, half read nothing. Each asks for more than all buffers on the way take.

    `ended`: a job that has ended, as large as theirs.
    """
    stopping = threading.Event()
    with contextlib.ExitStack() as connections:
        wanted = [_request(arena, number) for number in range(min(count, RUNNING))]
        wanted += [(f"GET /v1/jobs/{ended}/stream", b"")] * (count - len(wanted))
        made = [connections.enter_context(_asking(arena, gateway, one)) for one in wanted]
        slow = threading.Thread(target=_read_slowly, args=(made[: count // 2], stopping))
        slow.start()
        try:
            yield
        finally:
            stopping.set()
            slow.join()


def _ended_job(arena: Arena) -> str:
    _, body = _request(arena, 0)
    answer = ask(arena.gateways()[0], "POST", "/v1/chat/completions", body, key=arena.stack.api_key)
    return answer.headers["x-job-id"]


def _request(arena: Arena, number: int) -> tuple[str, bytes]:
    """What it asks for: half a megabyte, a kilobyte and more a token."""
    body = {
        "model": arena.stack.model,
        "messages": [{"role": "user", "content": f"Slow reader {number}"}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "logprobs": True,
        "top_logprobs": 20,
        "stream": True,
    }
    return "POST /v1/chat/completions", json.dumps(body).encode()


def _asking(arena: Arena, gateway: Neighbour, wanted: tuple[str, bytes]) -> socket.socket:
    line, body = wanted
    parts = urlsplit(gateway.url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
    connection.connect((parts.hostname, parts.port))
    head = f"{line} HTTP/1.1\r\nHost: drover\r\nAuthorization: Bearer {arena.stack.api_key}\r\n"
    head += f"Connection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    arena.inject.note(Fault("bad reader", "stream", float("inf")))
    return connection


def _read_slowly(connections: list[socket.socket], stopping: threading.Event) -> None:
    while not stopping.wait(1):
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.recv(1, socket.MSG_DONTWAIT)


def _ports_of(gateway: Neighbour) -> set[int]:
    """The ports of the clients that the gateway has a connection with."""
    own = urlsplit(gateway.url).port
    connections = psutil.Process(gateway.pid).net_connections("tcp")
    return {one.raddr.port for one in connections if one.raddr and one.laddr.port == own}


def _first_tokens(load: Load) -> Quantiles | None:
    return Quantiles.of(one.arrivals[0] - one.accepted_at for one in load.received if one.arrivals)


class _Memory:
    """The resident memory of a process at the block's begin and its peak within it, in MiB."""

    def __init__(self, pid: int):
        self._process = psutil.Process(pid)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = self.peak = self._now()

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            with contextlib.suppress(psutil.Error):
                self.peak = max(self.peak, self._now())

    def _now(self) -> float:
        return float(self._process.memory_info().rss) / 2**20


def test_readers_that_do_not_read_cost_little_and_are_cut_off(arena: Arena) -> None:
    scenario(arena)
