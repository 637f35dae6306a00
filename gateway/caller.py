"""The client at the other end of a request, who may leave before the answer."""

import asyncio
from typing import TypeVar

from starlette.types import Receive

Result = TypeVar("Result")


class CallerGoneError(Exception):
    """The client has closed the connection."""


class Caller:
    """Notices the disconnect, which the server reports to nobody who does not ask. The body must have been read."""

    def __init__(self, receive: Receive):
        self._receive = receive

    async def gone(self) -> None:
        """Return when the client has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def wait_for(self, work: asyncio.Task[Result]) -> Result:
        """The result of `work`, if the client stays for it; it is not cancelled otherwise. Raises CallerGoneError."""
        gone = asyncio.create_task(self.gone())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if not work.done():
            raise CallerGoneError
        return work.result()
