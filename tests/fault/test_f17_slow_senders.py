"""F17: slowloris heads and bodies, bodies without end, and requests with two lengths."""

import contextlib
import socket
from collections import Counter
from urllib.parse import urlsplit

from tests.fault.arena import Arena, LoadPlan
from tests.fault.faults import Fault
from tests.fault.figures import Quantiles
from tests.fault.load import Load
from tests.fault.neighbour import neighbour
from tests.fault.slow_senders import send_slowly

HEAD_S, BODY_S = 1.5, 2.5
HEALTHY = LoadPlan(streams=4, tokens=100, sessions=0)
TIMEOUT_S = 20.0

_POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: drover\r\nContent-Type: application/json\r\n"
REFUSED: dict[str, tuple[bytes, bytes, int]] = {
    "30 MB body": (_POST + b"Content-Length: 30000000\r\n\r\n", b"x" * 30_000, 1000),
    "chunks without end": (_POST + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n", 10**6),
    "two lengths": (_POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"", 0),
    "70 kB header": (b"GET /v1/models HTTP/1.1\r\nHost: drover\r\nX-Long: " + b"a" * 70_000 + b"\r\n\r\n", b"", 0),
    "two content lengths": (_POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", b"", 0),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), b"", 0),
}
"""What is sent first, what then again, and how often; each must be a 400, 408 or 413, or closed."""


def scenario(arena: Arena) -> None:
    senders = arena.count(short=60, long=500)
    settings = {"GATEWAY_HEAD_TIMEOUT_S": str(HEAD_S), "GATEWAY_BODY_TIMEOUT_S": str(BODY_S)}
    with neighbour(arena.stack, "gateway", settings) as gateway:
        arena.gateways = lambda: [gateway.url]
        with arena.load(HEALTHY) as calm:
            arena.sleep(1, 1.5)
        with arena.load(HEALTHY) as beside:
            cuts = send_slowly(gateway.url, senders)
            for name, (first, again, times) in REFUSED.items():
                status = _status(gateway.url, first, again, times)
                arena.inject.note(Fault("malformed request", "gateway", float("inf")))
                arena.expect(status in (0, 400, 408, 413), f"{name}: the answer is {status}")
                arena.figure(name, status or "closed")
    arena.gateways = lambda: arena.stack.gateways
    for cut in cuts:
        arena.inject.note(Fault("slow sender", "gateway", float("inf")))
        arena.expect(cut.status in (0, 400, 408), f"a slow sender ({cut.kind}) got {cut.status}")
    ends = Counter(f"{cut.kind}: {cut.status or 'closed'}" for cut in cuts)
    arena.figure("slow senders", dict(sorted(ends.items())))
    arena.figure(f"closed after, limits {HEAD_S} and {BODY_S} s (s)", Quantiles.of(cut.after_s for cut in cuts))
    arena.figure("healthy first token, calm → beside (s)", f"{_first_tokens(calm)} → {_first_tokens(beside)}")


def _status(url: str, first: bytes, again: bytes, times: int) -> int:
    """0: closed without an answer. Fails when the server neither answers nor closes."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(first)
            for _ in range(times):
                connection.sendall(again)
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = connection.recv(65536)
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/") else 0


def _first_tokens(load: Load) -> Quantiles | None:
    return Quantiles.of(one.arrivals[0] - one.accepted_at for one in load.received if one.arrivals)


def test_slow_and_endless_senders_are_cut_off_and_hurt_nobody(arena: Arena) -> None:
    scenario(arena)
