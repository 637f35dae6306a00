"""Refuses request bodies over a limit while they arrive, without keeping them."""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import RequestTooLargeError
from shared.http.error_answers import error_response

DRAIN_S = 1.0
"""How long the rest of a refused body is read and thrown away: a connection closed on unread data is reset, and the
client would then lose the answer."""


class BodyLimitMiddleware:
    """Answers 413 as soon as a body is announced or has grown larger than `max_body_bytes`; chunked bodies too."""

    def __init__(self, app: ASGIApp, max_body_bytes: int):
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _announced_bytes(scope) > self._max_body_bytes:
            await self._refuse(scope, receive, send)
        else:
            await self._count(scope, receive, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        received_bytes = 0
        has_started = False
        is_refused = False

        async def counted() -> Message:
            nonlocal received_bytes, is_refused
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._max_body_bytes:
                is_refused = True
                if not has_started:
                    await self._refuse(scope, receive, send)
                raise RequestTooLargeError()
            return message

        async def forward(message: Message) -> None:
            nonlocal has_started
            if not is_refused:  # whatever the application makes of the error, the answer has been given
                has_started = True
                await send(message)

        try:
            await self._app(scope, counted, forward)
        except RequestTooLargeError:
            if not is_refused or has_started:
                raise

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = RequestTooLargeError(f"The request body is larger than {self._max_body_bytes} bytes; send less.")
        error.headers["Connection"] = "close"

        async def keep_open(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "more_body": True}
            await send(message)

        await error_response(error)(scope, receive, keep_open)
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await _discard(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return


def _announced_bytes(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
