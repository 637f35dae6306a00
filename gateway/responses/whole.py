"""A response in one piece, for a caller who waits for it."""

from collections.abc import Sequence

import orjson

from gateway.follow import Ended
from gateway.responses.document import Described, usage_of
from gateway.responses.output import Output
from gateway.responses.stream import STATUSES, item_status
from shared.events import TokensEvent
from shared.job import AnswerForm


class WholeResponse:
    """Collects a job's items; what it answers is what the stream's last event holds."""

    def __init__(self, described: Described, form: AnswerForm):
        self._described = described
        self._output = Output(described.turn_id, form)

    def add(self, events: Sequence[TokensEvent]) -> None:
        for event in events:
            for _ in self._output.take(event):
                pass

    def answer(self, ended: Ended) -> bytes:
        status = STATUSES.get(ended.final.finish_reason, "completed")
        for _ in self._output.end(ended.final.text, item_status(status)):
            pass
        extras = {"persisted": False} if ended.is_persisted is False else {}
        usage = usage_of(ended.final.usage)
        return orjson.dumps(self._described.document(status, output=self._output.items(), usage=usage, extras=extras))
