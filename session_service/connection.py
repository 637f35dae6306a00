"""A connection to Postgres that waits for no answer without end.

Postgres' own time-outs are kept by Postgres, so they do not help against one that hangs, nor against a network that
swallows packets. And psycopg answers a cancellation by asking the server to cancel, for up to five seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from psycopg import AsyncConnection, OperationalError, waiting
from psycopg.abc import PQGen

Answer = TypeVar("Answer")


class BoundedConnection(AsyncConnection[Any]):
    """Closes itself when an answer takes longer than `answer_timeout_s`, or when the waiting task is cancelled."""

    answer_timeout_s = 5.0

    async def wait(
        self,
        gen: PQGen[Answer],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's signature
    ) -> Answer:
        """Everything that the connection does comes through here. Raises psycopg.OperationalError."""
        try:
            async with asyncio.timeout(self.answer_timeout_s):
                return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, timeout=timeout)
        except TimeoutError as error:
            self.pgconn.finish()
            raise OperationalError("Postgres did not answer in time.") from error
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise


def connector(*, connect_timeout_s: float, answer_timeout_s: float) -> Callable[..., Awaitable[BoundedConnection]]:
    """Takes what psycopg's connect takes. What it gives raises psycopg.OperationalError."""

    async def connect(*arguments: Any, **options: Any) -> BoundedConnection:
        try:
            async with asyncio.timeout(connect_timeout_s):
                connection = await BoundedConnection.connect(*arguments, **options)
        except TimeoutError as error:
            raise OperationalError("Postgres let nobody in in time.") from error
        connection.answer_timeout_s = answer_timeout_s
        return connection

    return connect
