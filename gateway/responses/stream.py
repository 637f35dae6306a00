"""A response as OpenAI's typed events, numbered from 0."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from gateway.follow import Ended
from gateway.responses.document import Described, Status, error_of, usage_of
from gateway.responses.output import Change, Output
from gateway.responses.shown_items import text_of
from shared.bodies.stored_messages import StoredMessageBody
from shared.errors import DroverError, JobExpiredError, JobNotFoundError, UnavailableError, UpstreamError
from shared.events import FinishReason, TokensEvent
from shared.job import AnswerForm

ON_THE_WAY = (DroverError, UnavailableError, UpstreamError, JobNotFoundError, JobExpiredError)
"""Exactly these tell of the stream: the response itself may go on. All others are what a job ends with."""

FROM_THE_BEGINNING = -1
STATUSES: dict[FinishReason, Status] = {"length": "incomplete", "cancelled": "cancelled", "error": "failed"}
"""How a response ends by its job's finish reason; by all others it is completed."""

LAST_EVENTS: dict[Status, str] = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "cancelled": "response.incomplete",
    "failed": "response.failed",
}
"""OpenAI has none of its own for a cancelled response; its object says so."""


class ResponseStream:
    """A job's frames. An event's number is its SSE id; numbers count what is said, not how it came."""

    needs_all = True

    def __init__(self, described: Described, form: AnswerForm, *, after: int = FROM_THE_BEGINNING):
        self._described = described
        self._output = Output(described.turn_id, form)
        self._after = after
        self._next = 0
        self._has_begun = False

    def created(self) -> bytes:
        """What is said before anything of the job is known; to be asked for once, before all else."""
        if not self._described.is_background:
            return self._frames([self._standing("response.created", "in_progress"), *self._beginning()])
        return self._frames(self._standing(kind, "queued") for kind in ("response.created", "response.queued"))

    def opening(self) -> bytes:
        """Nothing: a caller who waits in the queue has the response's id by then."""
        return b""

    def tokens(self, events: Sequence[TokensEvent]) -> bytes:
        changes = [*self._beginning()]
        for event in events:
            changes += self._output.take(event)
        return self._frames(changes)

    def closing(self, ended: Ended) -> bytes:
        final = ended.final
        status = STATUSES.get(final.finish_reason, "completed")
        changes = [*self._beginning(), *self._output.end(final.text, item_status(status))]
        extras = {"persisted": False} if ended.is_persisted is False else {}
        document = self._described.document(
            status, output=self._output.items(), usage=usage_of(final.usage), extras=extras
        )
        return self._frames([*changes, {"type": LAST_EVENTS[status], "response": document}])

    def stored(self, reply: StoredMessageBody | None, document: Mapping[str, Any]) -> bytes:
        """All that follows the beginning, of a response that is told from what is stored: `document` is how it ended.

        A text, and each call's arguments, are one delta.
        """
        status: Status = document["status"]
        changes = self._beginning()
        if reply is not None:
            changes += self._output.say(text_of(reply))
            for index, call in enumerate(reply.tool_calls or ()):
                changes += self._output.call(index, call)
        changes += self._output.end("", item_status(status))
        return self._frames([*changes, {"type": LAST_EVENTS[status], "response": document}])

    def failed(self, error: DroverError) -> bytes:
        described = error.body()["error"]
        if type(error) in ON_THE_WAY:
            told = {name: described[name] for name in ("code", "message", "param")}
            return self._frames([{"type": "error", **told}])
        output = self._output.items()
        document = self._described.document("failed", output=output, error=error_of(described))
        return self._frames([*self._beginning(), {"type": "response.failed", "response": document}])

    def _beginning(self) -> list[Change]:
        if self._has_begun:
            return []
        self._has_begun = True
        return [self._standing("response.in_progress", "in_progress")]

    def _standing(self, kind: str, status: Status) -> Change:
        return {"type": kind, "response": self._described.document(status)}

    def _frames(self, changes: Iterable[Change]) -> bytes:
        frames = []
        for change in changes:
            number = self._next
            self._next += 1
            if number > self._after:
                frames.append(_frame(change, number))
        return b"".join(frames)


def item_status(status: Status) -> Any:
    """What the end of a response makes of its last item."""
    return "completed" if status == "completed" else "incomplete"


def _frame(change: Change, number: int) -> bytes:
    data = orjson.dumps({**change, "sequence_number": number})
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (number, change["type"].encode(), data)
