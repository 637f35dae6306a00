"""Uvicorn's HTTP protocol with limits on time: a client that sends or reads too slowly loses its connection."""

from asyncio import BaseTransport, Task, TimerHandle
from dataclasses import dataclass
from typing import Any, cast

from shared.errors import RequestTimeoutError
from shared.http.bounded_protocol import BoundedHttpProtocol

LINGER_S = 2.0
"""How long a closed connection waits for its client to read the last of its answer."""


@dataclass(frozen=True)
class TimeLimits:
    """Seconds: for a request's head, from its first byte (or the connection's begin) on; for its body; and for a
    client to make room when the buffer of its connection is full."""

    head_s: float = 15.0
    body_s: float = 60.0
    write_s: float = 60.0


class TimedHttpProtocol(BoundedHttpProtocol):
    """Answers 408 and closes when a request does not come to its end; cuts off who does not read.

    Uvicorn's own limit is for idle connections between requests alone.
    """

    limits = TimeLimits()
    _late: TimerHandle | None = None
    _unread: TimerHandle | None = None
    _is_in_body = False
    _has_begun = False

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(cast(Any, transport))
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._late, self._unread):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._has_begun = True
        super().data_received(data)
        is_idle = self.cycle is None or self.cycle.response_complete
        if self._late is None and is_idle and not self.transport.is_closing():
            self._wait_for_head()  # blank lines between two requests: they ended uvicorn's limit and begin nothing

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._is_in_body = True
        self._wait(self.limits.body_s)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._wait(None)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.limits.write_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._end_soon()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        before = set(self.tasks)
        super()._start_asgi_task(cycle, app)
        for task in self.tasks - before:
            task.add_done_callback(self._answered)

    def _answered(self, _task: "Task[None]") -> None:
        self._end_soon()

    def _end_soon(self) -> None:
        """A closed connection still waits for its client to read what was written: for ever, without this."""
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.loop.call_later(LINGER_S, self.transport.abort)

    def _wait_for_head(self) -> None:
        self._is_in_body = False
        self._wait(self.limits.head_s)

    def _wait(self, seconds: float | None) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late = None if seconds is None else self.loop.call_later(seconds, self._refuse_if_late)

    def _refuse_if_late(self) -> None:
        self._late = None
        if self.transport.is_closing():
            return
        if self._is_answering_another():
            self._wait(self.limits.body_s if self._is_in_body else self.limits.head_s)
        elif self._is_in_body and self.cycle.response_started and not self.cycle.response_complete:
            self.cycle.keep_alive = False  # its answer did not need the body: it is given, then the connection ends
        else:
            self._let_go()
            self._end_soon()

    def _let_go(self) -> None:
        has_answer = self._is_in_body and self.cycle.response_complete
        if has_answer or not self._has_begun:
            self.transport.close()  # nothing was asked, or all is said
        else:
            self.refuse(RequestTimeoutError())

    def _is_answering_another(self) -> bool:
        """Whether an earlier request on this connection still gets its answer: then this one may take its time."""
        if self._is_in_body:
            return bool(self.pipeline)
        return self.cycle is not None and not self.cycle.response_complete


def timed_protocol(wanted: TimeLimits) -> type[TimedHttpProtocol]:
    """The protocol class with those limits, as uvicorn wants it."""

    class Protocol(TimedHttpProtocol):
        limits = wanted

    return Protocol
