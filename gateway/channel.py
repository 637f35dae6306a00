"""The process's one pub/sub connection: every job's live events come in here and go to whoever follows the job."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog
from redis.asyncio import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.subscription import Subscription
from shared.ledger import channel_of

PING_INTERVAL_S = 5.0
FIRST_RECONNECT_DELAY_S = 0.05
MAX_RECONNECT_DELAY_S = 1.0

log = structlog.get_logger()


class Channel:
    """One owner task holds the connection and is the only one to read it, write to it or replace it.

    Commands come to it on a queue. redis-py would reconnect by itself and lose events without a word, so its retries
    are off: any error means a new connection, SUBSCRIBE to everything wanted, and every stream reads the log again.
    """

    def __init__(self, redis_url: str, *, max_events: int, max_bytes: int):
        self._pool = ConnectionPool.from_url(
            redis_url,
            protocol=2,  # messages as plain arrays, not as pushes to a handler
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=2,
            socket_timeout=None,  # silence is normal here; the pings below find a dead connection
        )
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._commands: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._heard_at = 0.0
        self._has_subscribed = False

    @property
    def is_up(self) -> bool:
        """Whether this process is subscribed to what it wants, as far as it knows."""
        return self._has_subscribed

    @contextmanager
    def subscription(self, job_id: str) -> Iterator[Subscription]:
        """The events of one job from now on. It turns dirty once Redis has confirmed: then is the time for the log."""
        name = channel_of(job_id)
        subscription = Subscription(job_id, self._max_events, self._max_bytes)
        self._subscriptions.setdefault(name, set()).add(subscription)
        # Also for a second follower of the job: the confirmation comes again, and with it the moment to read the log.
        self._commands.put_nowait(("SUBSCRIBE", name))
        try:
            yield subscription
        finally:
            self._subscriptions[name].discard(subscription)
            if not self._subscriptions[name]:
                del self._subscriptions[name]
                self._commands.put_nowait(("UNSUBSCRIBE", name))

    async def run(self) -> None:
        """Own the connection until cancelled."""
        delay_s = FIRST_RECONNECT_DELAY_S
        while True:
            self._has_subscribed = False
            connection: Connection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py
            try:
                await self._serve(connection)
            except* (RedisError, OSError, TimeoutError) as group:
                log.warning("channel_lost", error=str(group.exceptions[0]), streams=len(self._subscriptions))
            finally:
                with suppress(RedisError, OSError):
                    await connection.disconnect(nowait=True)
            delay_s = FIRST_RECONNECT_DELAY_S if self._has_subscribed else min(2 * delay_s, MAX_RECONNECT_DELAY_S)
            await asyncio.sleep(delay_s)

    async def _serve(self, connection: Connection) -> None:
        await connection.connect()  # type: ignore[no-untyped-call]  # redis-py
        self._commands = asyncio.Queue()
        if self._subscriptions:
            await connection.send_command("SUBSCRIBE", *self._subscriptions, check_health=False)
        self._heard_at = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as owner:
            owner.create_task(self._write(connection))
            owner.create_task(self._read(connection))

    async def _write(self, connection: Connection) -> None:
        while True:
            try:
                async with asyncio.timeout(PING_INTERVAL_S):
                    command = await self._commands.get()
            except TimeoutError:
                if asyncio.get_running_loop().time() - self._heard_at > 2 * PING_INTERVAL_S:
                    raise TimeoutError("Redis has not answered two pings on the pub/sub connection.") from None
                command = ("PING", "")
            verb, name = command
            if verb == "UNSUBSCRIBE" and name in self._subscriptions:
                continue  # somebody follows the job again
            await connection.send_command(verb, name, check_health=False)

    async def _read(self, connection: Connection) -> None:
        while True:
            reply = await connection.read_response(disable_decoding=True, timeout=math.inf, disconnect_on_error=False)
            self._heard_at = asyncio.get_running_loop().time()
            if not isinstance(reply, list):
                continue  # the answer to a ping while nothing is subscribed
            kind, name = reply[0], reply[1].decode()
            if kind == b"message":
                for subscription in self._subscriptions.get(name, ()):
                    subscription.put(reply[2])
            elif kind == b"subscribe":
                self._has_subscribed = True
                for subscription in self._subscriptions.get(name, ()):
                    subscription.mark_dirty()
