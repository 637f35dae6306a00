"""Anthropic's message as a stream of typed events."""

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.anthropic.message import ending_fields, error_body, message_fields, usage_fields
from gateway.follow import Ended
from gateway.heading import Heading
from shared.errors import DroverError
from shared.events import TokensEvent, Usage
from shared.tool_calls import CallPiece, Found, ToolCallReader

NOTHING_YET: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None}


class MessageStream:
    """Opens and closes one content block after the other: text, and a block for each call.

    The SSE id stands on the last event of those that some tokens make, so that a caller who goes on from there has all.
    `prompt_tokens` are told at the beginning, as far as they are known.
    """

    needs_all = True

    def __init__(self, heading: Heading, *, after_seq: int = 0, prompt_tokens: int = 0):
        self._heading = heading
        self._after_seq = after_seq
        self._prompt_tokens = prompt_tokens
        self._reader = ToolCallReader(heading.form.tool_names, heading.job_id)
        self._blocks = 0
        self._open: str | None = None
        """The kind of the block that is open."""

    def opening(self) -> bytes:
        if self._after_seq:
            return b""
        usage = usage_fields(Usage(self._prompt_tokens))
        said = {**message_fields(self._heading), **NOTHING_YET, "usage": usage}
        return _frames([_event("message_start", message=said), _event("ping")], 0)

    def tokens(self, events: Sequence[TokensEvent]) -> bytes:
        frames = []
        for event in events:
            for first, end in event.runs(self._after_seq):
                found = self._reader.push("".join(event.texts[first:end]))
                frames.append(self._told(found, event.first_seq + end - 1))
        return b"".join(frames)

    def closing(self, ended: Ended) -> bytes:
        found = self._reader.push(ended.final.text)
        found.extend(self._reader.close())
        last_id = ended.final.last_seq + 1
        rest = self._told(found, last_id)
        usage = usage_fields(ended.final.usage)
        delta = ending_fields(ended, has_calls=self._reader.has_calls)
        events = [*self._closed(), _event("message_delta", delta=delta, usage=usage), _event("message_stop")]
        return rest + _frames(events, last_id)

    def failed(self, error: DroverError) -> bytes:
        return b"event: error\ndata: %b\n\n" % orjson.dumps(error_body(error))

    def _told(self, found: Found, event_id: int) -> bytes:
        """The events for what was found; b"" where that is nothing, or the caller has it already."""
        events = [event for piece in found.pieces for event in self._piece(piece)]
        return _frames(events, event_id) if event_id > self._after_seq else b""

    def _piece(self, piece: str | CallPiece) -> list[bytes]:
        if isinstance(piece, str):
            begun = [] if self._open == "text" else self._begun("text", text="")
            return [*begun, self._delta("text_delta", text=piece)]
        events = self._begun("tool_use", id=piece.id, name=piece.name, input={}) if piece.begins else []
        if piece.arguments:
            events.append(self._delta("input_json_delta", partial_json=piece.arguments))
        return [*events, *self._closed()] if piece.ends else events

    def _begun(self, kind: str, **fields: Any) -> list[bytes]:
        closed, self._open = self._closed(), kind
        self._blocks += 1
        block = {"type": kind, **fields}
        return [*closed, _event("content_block_start", index=self._blocks - 1, content_block=block)]

    def _closed(self) -> list[bytes]:
        if self._open is None:
            return []
        self._open = None
        return [_event("content_block_stop", index=self._blocks - 1)]

    def _delta(self, kind: str, **fields: Any) -> bytes:
        return _event("content_block_delta", index=self._blocks - 1, delta={"type": kind, **fields})


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))


def _frames(events: Sequence[bytes], event_id: int) -> bytes:
    if not events:
        return b""
    return b"".join(events[:-1]) + b"id: %d\n" % event_id + events[-1]
