"""The two ends of the gateway benchmark: the feeder as it is ordered about, and the clients who read."""

import asyncio
import json
import subprocess
import sys

from tests.stack import ROOT

_BODY = json.dumps(
    {"model": "drover-tiny", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
).encode()
_REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer bench\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)
_OPEN_AT_ONCE = 25
_AGAIN_S = 0.5


class Feeder:
    """The other process."""

    def __init__(self, redis_url: str, streams: int):
        command = [sys.executable, "-m", "tests.load.gateway_bench_feeder", redis_url, str(streams)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    async def hear(self) -> None:
        """Wait for its next word."""
        assert self._process.stdout is not None
        if not await asyncio.to_thread(self._process.stdout.readline):
            raise RuntimeError("the feeder has ended")

    def order(self, **words: float | bool) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Streams:
    """Clients who read bytes and do not look at them, but for the last."""

    def __init__(self, port: int):
        self._port = port
        self._reading: list[asyncio.Task[None]] = []

    async def open(self, count: int) -> None:
        """Open so many and wait until each has its answer's beginning."""
        for place in range(0, count, _OPEN_AT_ONCE):
            begun = [asyncio.Event() for _ in range(min(_OPEN_AT_ONCE, count - place))]
            self._reading += [asyncio.create_task(self._read(event)) for event in begun]
            await asyncio.gather(*(event.wait() for event in begun))

    async def ended(self) -> None:
        """Wait for [DONE] on all."""
        await asyncio.gather(*self._reading)

    async def close(self) -> None:
        """Leave without waiting for the end."""
        for reading in self._reading:
            reading.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def _read(self, begun: asyncio.Event) -> None:
        reader, writer, tail = await self._begin()
        begun.set()
        try:
            while b"[DONE]" not in tail:
                data = await reader.read(262_144)
                if not data:
                    raise RuntimeError(f"a stream ended early: {tail!r}")
                tail = (tail + data)[-400:]
        finally:
            writer.close()

    async def _begin(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """A stream that was accepted; on a busy machine Redis may be too slow once, which is a 503."""
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(_REQUEST)
            head = await reader.read(4096)
            if head.startswith(b"HTTP/1.1 200"):
                return reader, writer, head
            writer.close()
            await asyncio.sleep(_AGAIN_S)
