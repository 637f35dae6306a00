"""Clients that send their requests as slowly as they can: a byte now and then, and never the end."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

DRIP_S = 0.4
GIVE_UP_S = 30.0

_POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: drover\r\nContent-Type: application/json\r\n"
KINDS: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "head": (b"GET /v1/models HTTP/1.1\r\nX-Long: ", b"a"),
    "headers": (b"GET /v1/models HTTP/1.1\r\n", b"X-Many: a\r\n"),
    "body": (_POST + b"Content-Length: 1000000\r\n\r\n", b" "),
    "chunks": (_POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}
"""What each kind sends first, and then again and again."""


@dataclass(frozen=True)
class Cut:
    """How one slow sender ended. `status` 0: closed without an answer; None: it was never closed."""

    kind: str
    status: int | None
    after_s: float


def send_slowly(url: str, count: int) -> list[Cut]:
    """So many connections at once, of all kinds in turn; returns when the server has closed the last one."""
    kinds = list(KINDS)
    return asyncio.run(_all(url, [kinds[number % len(kinds)] for number in range(count)]))


async def _all(url: str, kinds: list[str]) -> list[Cut]:
    return await asyncio.gather(*(_one(url, kind) for kind in kinds))


async def _one(url: str, kind: str) -> Cut:
    parts = urlsplit(url)
    begun = time.monotonic()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    first, again = KINDS[kind]
    dripping = asyncio.create_task(_drip(writer, first, again))
    answer: bytes | None = b""
    try:
        async with asyncio.timeout(GIVE_UP_S):
            with contextlib.suppress(ConnectionError):
                answer = await reader.read()
    except TimeoutError:
        answer = None
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    writer.close()
    return Cut(kind, _status_of(answer), time.monotonic() - begun)


async def _drip(writer: asyncio.StreamWriter, first: bytes, again: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        writer.write(first)
        while True:
            await asyncio.sleep(DRIP_S)
            writer.write(again)
            await writer.drain()


def _status_of(answer: bytes | None) -> int | None:
    if answer is None:
        return None
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/") else 0
