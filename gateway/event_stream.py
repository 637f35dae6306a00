"""The HTTP response that carries a stream: notices the client's leaving, and a client that reads nothing."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.caller import Caller
from gateway.sse import HEADERS

log = structlog.get_logger()


class EventStream(Response):
    """Sends frames as they come; an empty one is nothing to send.

    `on_gone` is called when the client has left or has read nothing for `stall_s`; not when the server itself stops,
    for then the job goes on and another gateway can take the stream up.
    """

    def __init__(
        self,
        frames: AsyncGenerator[bytes, None],
        *,
        headers: Mapping[str, str],
        stall_s: float,
        on_gone: Callable[[], None],
    ):
        super().__init__(headers={**HEADERS, **headers})
        del self.headers["content-length"]  # Response counted its empty body
        self._frames = frames
        self._stall_s = stall_s
        self._on_gone = on_gone
        self._sends = 0
        self._is_sending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send_all(send))
        gone = asyncio.create_task(Caller(receive).gone())
        try:
            await self._watch({sending, gone})
            if sending.done():
                sending.result()
            else:
                self._on_gone()
        finally:
            sending.cancel()
            gone.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)

    async def _watch(self, tasks: set[asyncio.Task[None]]) -> None:
        """Until one of the tasks is done or one send has taken `stall_s`, which is noticed by `stall_s` / 4 later.

        A time-out around every send would cost each token a twentieth of all that it costs here.
        """
        stalled_at_send, stalled_s, step_s = 0, 0.0, self._stall_s / 4
        while stalled_s < self._stall_s:
            done, _ = await asyncio.wait(tasks, timeout=step_s, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return
            is_same_send = self._is_sending and self._sends == stalled_at_send
            stalled_s = stalled_s + step_s if is_same_send else 0.0
            stalled_at_send = self._sends
        log.warning("client_reads_nothing", stall_s=self._stall_s)

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._frames) as frames:
            async for data in frames:
                if data:
                    self._sends += 1
                    self._is_sending = True
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                    self._is_sending = False
        await send({"type": "http.response.body", "body": b"", "more_body": False})
