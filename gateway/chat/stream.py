"""OpenAI's chat completion chunks for one job, built as bytes: a token costs one small JSON string and two joins."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from gateway.chat.logprobs import logprobs_fields
from gateway.follow import Ended
from gateway.heading import Heading, ends_of, usage_fields
from gateway.sse import DONE, error_frame, frame
from shared.errors import DroverError
from shared.events import TokensEvent


class ChatStream:
    """Writes a job's chunks as SSE frames.

    A frame's id is the seq of its last token. What was held back until the end comes after the last token, one frame
    and one id for each choice, so that a caller who resumes there gets no text twice.
    """

    needs_all = False

    def __init__(self, heading: Heading, *, after_seq: int = 0):
        self._heading = heading
        self._after_seq = after_seq
        self._fields = heading.fields("chat.completion.chunk", prefix="chatcmpl-")
        self._opened: set[int] = set()
        around = self._chunk(0, {"content": "\0"})
        before, after = around.split(orjson.dumps("\0"))
        self._text_frame = (
            b"id: %d\ndata: " + before.replace(b"%", b"%%") + b"%b" + after.replace(b"%", b"%%") + b"\n\n"
        )

    def opening(self) -> bytes:
        """The first chunk of each choice: the role, before any text."""
        if self._after_seq:
            return b""
        return b"".join(self._role(choice) for choice in range(self._heading.form.choices))

    def tokens(self, events: Sequence[TokensEvent]) -> bytes:
        """One chunk per event that has text; per run of one choice's tokens where there are several choices."""
        written, frames = self._text_frame, []
        for event in events:
            if event.choices is None and event.logprobs is None:
                if text := "".join(event.texts):
                    frames.append(written % (event.last_seq, orjson.dumps(text)))
            else:
                frames += [self._run(event, first, end) for first, end in _runs(event)]
        return b"".join(frames)

    def closing(self, ended: Ended) -> bytes:
        """What was held back, the finish reasons, the usage if it was asked for, and [DONE].

        Behind the last token the caller's place counts the held-back texts, too.
        """
        final = ended.final
        choices = max(self._heading.form.choices, 1 + len(final.others), 1 + max(self._opened, default=0))
        ends = ends_of(final, choices)
        last_id = final.last_seq + choices
        frames = []
        for choice, (_, text) in enumerate(ends):
            event_id = final.last_seq + 1 + choice
            if text and event_id > self._after_seq:
                frames.append(frame(self._chunk(choice, {"content": text}), event_id))
        for choice, (reason, _) in enumerate(ends):
            extras = self._heading.extras(ended) if choice == choices - 1 else {}
            frames.append(frame(self._chunk(choice, {}, finish_reason=reason, extras=extras), last_id))
        if self._heading.has_usage:
            usage = usage_fields(final.usage)
            frames.append(frame(orjson.dumps({**self._fields, "choices": [], "usage": usage}), last_id))
        frames.append(DONE)
        return b"".join(frames)

    def failed(self, error: DroverError) -> bytes:
        return error_frame(error)

    def _role(self, choice: int) -> bytes:
        self._opened.add(choice)
        return frame(self._chunk(choice, {"role": "assistant", "content": ""}), 0)

    def _run(self, event: TokensEvent, first: int, end: int) -> bytes:
        """The tokens from `first` to before `end`, all of one choice; b"" if there is nothing to tell."""
        choice = event.choices[first] if event.choices is not None else 0
        self._opened.add(choice)
        text = "".join(event.texts[first:end])
        places = event.logprobs[first:end] if event.logprobs is not None else []
        if not text and not any(places):
            return b""
        logprobs = logprobs_fields(places) if event.logprobs is not None else None
        return frame(self._chunk(choice, {"content": text}, logprobs=logprobs), event.first_seq + end - 1)

    def _chunk(
        self,
        index: int,
        delta: dict[str, str],
        *,
        logprobs: dict[str, Any] | None = None,
        finish_reason: str | None = None,
        extras: dict[str, Any] | None = None,
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        usage = {"usage": None} if self._heading.has_usage else {}
        return orjson.dumps({**self._fields, "choices": [choice], **usage, **(extras or {})})


def _runs(event: TokensEvent) -> Iterator[tuple[int, int]]:
    """Where runs of one choice's tokens begin and end."""
    count = len(event.token_ids)
    if event.choices is None:
        yield 0, count
        return
    first = 0
    for place in range(1, count + 1):
        if place == count or event.choices[place] != event.choices[first]:
            yield first, place
            first = place
