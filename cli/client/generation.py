"""One generation: begun once, read to its end over any number of connections, cancelled where nobody wants it."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

from cli.client.answer import Answer, Piece
from cli.client.errors import ApiError, ConnectionLostError
from cli.client.gateways import Gateways, encoded
from cli.client.sse import Event

BUSY_WAIT_S = 15.0
"""How long a message waits for the turn before it, such as one that was just cancelled."""
RESUME_WAIT_S = 20.0
"""How long a broken stream looks for a gateway that takes it up again."""
PAUSE_S = 0.2
CANCEL_TIMEOUT_S = 5.0
CANCEL_WAIT_S = 1.0
"""A cancelled job ends within a step of its batch; its figures are worth so long a wait."""

Listener = Callable[[str], None]


class Generation:
    """What one POST of `body` to `path` generates. `on_waiting` hears what the server says of a wait, '' at its end.

    An Idempotency-Key makes it a job that outlives its connection: the request may be sent again, and never runs twice.
    """

    def __init__(self, gateways: Gateways, path: str, body: dict[str, Any], on_waiting: Listener):
        """Raises ApiError for a body that JSON cannot hold."""
        self.answer = Answer()
        self._gateways = gateways
        self._path = path
        self._content = encoded({**body, "stream": True, "stream_options": {"include_usage": True}})
        self._on_waiting = on_waiting
        self._key = {"Idempotency-Key": f"drover-{uuid4().hex}"}

    def pieces(self) -> Iterator[Piece]:
        """The texts as they come. Raises ApiError, UnreachableError."""
        refusals, give_up_at = 0, 0.0
        while not self.answer.is_over:
            seen = self.answer.last_event_id
            try:
                yield from self._resume() if self.answer.job_id else self._begin()
            except ConnectionLostError as error:
                if not (error.was_sent or give_up_at):  # nobody has heard of the request yet
                    refusals += 1
                    if refusals == self._gateways.count():
                        raise self._gateways.unreachable() from error
                    self._gateways.turn_to_the_next()
                    continue
            except ApiError as error:
                if error.status < 500 or not (self.answer.job_id or give_up_at):
                    raise  # a gateway that cannot do yet what the one before it could is no better than none
            if self.answer.is_over:
                return
            now = time.monotonic()
            if not give_up_at or self.answer.last_event_id != seen:
                give_up_at = now + RESUME_WAIT_S
            if now > give_up_at:
                raise self._gateways.unreachable()
            self._on_waiting("the connection broke, looking for the stream")
            self._gateways.turn_to_the_next()
            time.sleep(PAUSE_S)

    def cancel(self) -> None:
        """End the job on the server and learn how it ended. What cannot be told to the server is no matter here."""
        if self.answer.is_over:
            return
        self.answer.is_cancelled = True
        try:
            job_id = self.answer.job_id or self._job_id_of_the_key()
            if job_id:
                self.answer.job_id = job_id
                self._cancel(job_id)
        except (ApiError, ConnectionLostError):
            return

    def _begin(self) -> Iterator[Piece]:
        """Start the job; wait while another turn is in progress in this session."""
        give_up_at = time.monotonic() + BUSY_WAIT_S
        while True:
            try:
                with self._gateways.events("POST", self._path, self._content, self._key) as (job_id, events):
                    self.answer.job_id = job_id
                    yield from self._texts(events)
                return
            except ApiError as error:
                if error.status != 409 or time.monotonic() > give_up_at:
                    raise
                self._on_waiting("waiting for the turn before")
                time.sleep(PAUSE_S)

    def _resume(self) -> Iterator[Piece]:
        """Go on after the last event, on whichever gateway is asked now."""
        path = f"/v1/jobs/{self.answer.job_id}/stream?include_usage=true"
        after = {"Last-Event-ID": self.answer.last_event_id} if self.answer.last_event_id else {}
        with self._gateways.events("GET", path, headers=after) as (_, events):
            yield from self._texts(events)

    def _texts(self, events: Iterator[Event]) -> Iterator[Piece]:
        for event in events:
            if event.comment:
                self._on_waiting("" if event.comment == "ping" else event.comment)
                continue
            for piece in self.answer.read(event):
                self._on_waiting("")
                yield piece
            if self.answer.is_over:
                return

    def _job_id_of_the_key(self) -> str:
        """The same request again attaches to the job, if the interrupted one has come so far."""
        with self._gateways.events("POST", self._path, self._content, self._key, silence_s=CANCEL_TIMEOUT_S) as (
            job_id,
            _,
        ):
            return job_id

    def _cancel(self, job_id: str) -> None:
        job = self._gateways.call("POST", f"/v1/jobs/{job_id}/cancel", timeout_s=CANCEL_TIMEOUT_S)
        give_up_at = time.monotonic() + CANCEL_WAIT_S
        while job["finished_at"] is None and time.monotonic() < give_up_at:
            time.sleep(PAUSE_S / 4)
            job = self._gateways.call("GET", f"/v1/jobs/{job_id}", timeout_s=CANCEL_TIMEOUT_S)
        if job["finished_at"] is not None:
            self.answer.usage = job["usage"]
