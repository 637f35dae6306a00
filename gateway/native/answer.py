"""A job's answer in the native form: a line for each piece of text, and a last one with all of it."""

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.follow import Ended
from gateway.heading import Heading, ends_of, usage_fields
from gateway.sse import frame
from shared.errors import DroverError
from shared.events import TokensEvent


class WholeNative:
    """Collects the text; the answer is the stream's last line."""

    def __init__(self, heading: Heading):
        self._heading = heading
        self._texts: list[str] = []

    def add(self, events: Sequence[TokensEvent]) -> None:
        for event in events:
            self._texts += event.texts

    def answer(self, ended: Ended) -> bytes:
        ((reason, held_text),) = ends_of(ended.final, 1)
        said: dict[str, Any] = {
            "done": True,
            "session_id": self._heading.session_id,
            "full_text": "".join([*self._texts, held_text]),
            "job_id": self._heading.job_id,
            "model": self._heading.model,
            "finish_reason": reason,
            "usage": usage_fields(ended.final.usage),
            **self._heading.extras(ended),
        }
        return orjson.dumps(said)


class NativeStream:
    """Writes `{"token", "done": false}` for each piece of text; a frame's id is the seq of its last token."""

    needs_all = True  # the last line has the full text

    def __init__(self, heading: Heading, *, after_seq: int = 0):
        self._after_seq = after_seq
        self._whole = WholeNative(heading)

    def opening(self) -> bytes:
        return b""

    def tokens(self, events: Sequence[TokensEvent]) -> bytes:
        self._whole.add(events)
        fresh = [event.after(self._after_seq) for event in events if event.last_seq > self._after_seq]
        told = [(event.last_seq, "".join(event.texts)) for event in fresh]
        return b"".join(_piece(text, seq) for seq, text in told if text)

    def closing(self, ended: Ended) -> bytes:
        """What was held back, then the last line."""
        final = ended.final
        held = _piece(final.text, final.last_seq + 1) if final.text and final.last_seq >= self._after_seq else b""
        return held + frame(self._whole.answer(ended), final.last_seq + 1)

    def failed(self, error: DroverError) -> bytes:
        """An ordinary line, for a browser's EventSource would take an event called error for a broken connection."""
        return frame(orjson.dumps({"done": True, **error.body()}))


def _piece(text: str, seq: int) -> bytes:
    return frame(orjson.dumps({"token": text, "done": False}), seq)
