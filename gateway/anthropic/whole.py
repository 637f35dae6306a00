"""Anthropic's message in one piece."""

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.anthropic.message import ending_fields, message_fields, usage_fields
from gateway.follow import Ended
from gateway.heading import Heading
from shared.events import TokensEvent
from shared.tool_calls import read_answer


class WholeMessage:
    """Collects the text; its blocks are found at the end."""

    def __init__(self, heading: Heading):
        self._heading = heading
        self._texts: list[str] = []

    def add(self, events: Sequence[TokensEvent]) -> None:
        for event in events:
            self._texts += event.texts

    def answer(self, ended: Ended) -> bytes:
        text = "".join([*self._texts, ended.final.text])
        found = read_answer(text, self._heading.form.tool_names, self._heading.job_id)
        blocks: list[dict[str, Any]] = [{"type": "text", "text": found.content}] if found.content else []
        for call in found.calls:
            given = _input(call.function.arguments)
            blocks.append({"type": "tool_use", "id": call.id, "name": call.function.name, "input": given})
        return orjson.dumps(
            {
                **message_fields(self._heading),
                "content": blocks,
                **ending_fields(ended, has_calls=bool(found.calls)),
                "usage": usage_fields(ended.final.usage),
                **self._heading.extras(ended),
            }
        )


def _input(arguments: str) -> dict[str, Any]:
    """A call's arguments as an object; what the model wrote in another form is in it as it is."""
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        given = None
    return given if isinstance(given, dict) else {"arguments": arguments}
