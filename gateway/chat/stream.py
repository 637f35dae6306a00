"""OpenAI's chat completion chunks for one job, built as bytes: a token costs one small JSON string and two joins."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from gateway.chat.calls import CallReaders
from gateway.chat.logprobs import logprobs_fields
from gateway.follow import Ended
from gateway.heading import Heading, ends_of, usage_fields
from gateway.sse import DONE, error_frame, frame
from shared.errors import DroverError
from shared.events import TokensEvent


class ChatStream:
    """Writes a job's chunks as SSE frames.

    A frame's id is the seq of its last token. What was held back until the end comes after the last token, one frame
    and one id for each choice, so that a caller who resumes there gets no text twice. Where there are tools, what is
    text and what a call depends on all that was before: such a stream is read from its beginning on.
    """

    def __init__(self, heading: Heading, *, after_seq: int = 0):
        self._heading = heading
        self._after_seq = after_seq
        self._fields = heading.fields("chat.completion.chunk", prefix="chatcmpl-")
        self._opened: set[int] = set()
        self._calls = CallReaders(heading.form, heading.job_id) if heading.form.tool_names else None
        around = self._chunk(0, {"content": "\0"})
        before, after = around.split(orjson.dumps("\0"))
        self._text_frame = (
            b"id: %d\ndata: " + before.replace(b"%", b"%%") + b"%b" + after.replace(b"%", b"%%") + b"\n\n"
        )

    @property
    def needs_all(self) -> bool:
        return self._calls is not None

    def opening(self) -> bytes:
        """The first chunk of each choice: the role, before any text."""
        if self._after_seq:
            return b""
        return b"".join(self._role(choice) for choice in range(self._heading.form.choices))

    def tokens(self, events: Sequence[TokensEvent]) -> bytes:
        """One chunk per event that has text; per run of one choice's tokens where there are several choices."""
        if self._calls is not None:
            return b"".join(self._read(self._calls, events))
        written, frames = self._text_frame, []
        for event in events:
            if event.choices is None and event.logprobs is None:
                if text := "".join(event.texts):
                    frames.append(written % (event.last_seq, orjson.dumps(text)))
            else:
                frames += [self._run(event, first, end) for first, end in event.runs()]
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
            held = self._held(choice, text)
            if held and event_id > self._after_seq:
                frames.append(frame(held, event_id))
        for choice, (told_reason, _) in enumerate(ends):
            extras = self._heading.extras(ended) if choice == choices - 1 else {}
            reason = told_reason if self._calls is None else self._calls.reason(choice, told_reason)
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
        content = "" if self._calls is None else None
        return frame(self._chunk(choice, {"role": "assistant", "content": content}), 0)

    def _held(self, choice: int, text: str) -> bytes:
        """The chunk of what was held back of a choice; b"" if that is nothing."""
        if self._calls is None:
            return self._chunk(choice, {"content": text}) if text else b""
        delta, places = self._calls.end(choice, text)
        logprobs = logprobs_fields(places) if any(places) else None
        return self._chunk(choice, delta, logprobs=logprobs) if delta or logprobs else b""

    def _read(self, calls: CallReaders, events: Sequence[TokensEvent]) -> Iterator[bytes]:
        """One chunk per run of one choice's tokens that brings text or a part of a call.

        All calls are read from their beginning; what the caller has got already is not told again.
        """
        for event in events:
            for first, end in event.runs(self._after_seq):
                choice = event.choice_at(first)
                self._opened.add(choice)
                text, places = "".join(event.texts[first:end]), (event.logprobs or [])[first:end]
                delta, told = calls.push(choice, text, places)
                event_id = event.first_seq + end - 1
                if delta and event_id > self._after_seq:
                    logprobs = None if event.logprobs is None else logprobs_fields(told)
                    yield frame(self._chunk(choice, delta, logprobs=logprobs), event_id)

    def _run(self, event: TokensEvent, first: int, end: int) -> bytes:
        """The tokens from `first` to before `end`, all of one choice; b"" if there is nothing to tell."""
        choice = event.choice_at(first)
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
        delta: dict[str, Any],
        *,
        logprobs: dict[str, Any] | None = None,
        finish_reason: str | None = None,
        extras: dict[str, Any] | None = None,
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        usage = {"usage": None} if self._heading.has_usage else {}
        return orjson.dumps({**self._fields, "choices": [choice], **usage, **(extras or {})})
