"""OpenAI's chat completion objects for one job, built as bytes: a token costs one small JSON string and two joins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.follow import Ended
from gateway.sse import DONE, frame
from shared.bodies.turns import Truncation
from shared.events import TokensEvent, Usage


@dataclass(frozen=True, slots=True)
class Heading:
    """What all chunks of one job have in common. `created` in seconds since the epoch."""

    job_id: str
    model: str
    created: int
    fingerprint: str
    session_id: str | None = None
    truncation: Truncation | None = None
    has_usage: bool = False

    def fields(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.job_id}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }

    def extras(self, ended: Ended) -> dict[str, Any]:
        """Drover's own additions, under one name; nothing when there is nothing to say."""
        said: dict[str, Any] = {}
        if self.truncation is not None and self.truncation.dropped_messages:
            said["truncation"] = self.truncation.model_dump()
        if ended.is_persisted is False:
            said["persisted"] = False
        return {"drover": said} if said else {}


class ChunkWriter:
    """Writes a job's chunks as SSE frames.

    A frame's id is the seq of its last token. The text that was held back until the end, and the end itself, have the
    id after the last token's, so that a caller who resumes there does not get that text twice.
    """

    def __init__(self, heading: Heading):
        self._heading = heading
        self._fields = heading.fields("chat.completion.chunk")
        around = self._chunk({"content": "\0"}, None)
        before, after = around.split(orjson.dumps("\0"))
        self._text_frame = (
            b"id: %d\ndata: " + before.replace(b"%", b"%%") + b"%b" + after.replace(b"%", b"%%") + b"\n\n"
        )

    def opening(self) -> bytes:
        """The first chunk: the role, before any text."""
        return frame(self._chunk({"role": "assistant", "content": ""}, None), 0)

    def tokens(self, events: Sequence[TokensEvent]) -> bytes:
        """One chunk per event that has text."""
        written = self._text_frame
        return b"".join(
            [written % (event.last_seq, orjson.dumps(text)) for event in events if (text := "".join(event.texts))]
        )

    def closing(self, ended: Ended, *, is_text_sent: bool = False) -> bytes:
        """What was held back, the finish reason, the usage if it was asked for, and [DONE]."""
        final = ended.final
        event_id = final.last_seq + 1
        frames = []
        if final.text and not is_text_sent:
            frames.append(self._text_frame % (event_id, orjson.dumps(final.text)))
        last = self._chunk({}, final.finish_reason, self._heading.extras(ended))
        frames.append(frame(last, event_id))
        if self._heading.has_usage:
            usage = usage_fields(final.usage)
            frames.append(frame(orjson.dumps({**self._fields, "choices": [], "usage": usage}), event_id))
        frames.append(DONE)
        return b"".join(frames)

    def _chunk(self, delta: dict[str, str], finish_reason: str | None, extras: dict[str, Any] | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self._heading.has_usage else {}
        return orjson.dumps({**self._fields, "choices": [choice], **usage, **(extras or {})})


def whole_completion(heading: Heading, text: str, ended: Ended) -> bytes:
    """The answer to a request without `stream`."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": ended.final.finish_reason}
    usage = usage_fields(ended.final.usage)
    return orjson.dumps(
        {**heading.fields("chat.completion"), "choices": [choice], "usage": usage, **heading.extras(ended)}
    )


def usage_fields(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
