"""OpenAI's text completion chunks for one prompt's job."""

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.follow import Ended
from gateway.heading import Heading, ends_of, usage_fields
from gateway.sse import DONE, error_frame, frame
from gateway.text.choice import TextChoice
from shared.errors import DroverError
from shared.events import TokensEvent, Usage


class TextStream:
    """Writes a job's chunks as SSE frames; a frame's id is the seq of its last token.

    As one of several prompts it counts its choices from `first_index`, and leaves ids, usage and [DONE] to who has all
    of them. `usage` is there when the job has ended, `error` when it has failed.
    """

    needs_all = True  # a token's offset is the length of what came before it

    def __init__(self, heading: Heading, *, after_seq: int = 0, first_index: int = 0, is_alone: bool = True):
        self._heading = heading
        self._after_seq = after_seq
        self._is_alone = is_alone
        self._fields = heading.fields("text_completion", prefix="cmpl-")
        self._choices = [TextChoice(first_index + choice) for choice in range(heading.form.choices)]
        self.usage: Usage | None = None
        self.error: DroverError | None = None

    def opening(self) -> bytes:
        return b""

    def tokens(self, events: Sequence[TokensEvent]) -> bytes:
        """One chunk per run of one choice's tokens."""
        return b"".join(self._run(event, *run) for event in events for run in event.runs(self._after_seq))

    def closing(self, ended: Ended) -> bytes:
        """What was held back with the finish reason of each choice; then, alone, the usage if it was asked for."""
        final, self.usage = ended.final, ended.final.usage
        ends = ends_of(final, len(self._choices))
        last_id = final.last_seq + len(ends)
        frames = []
        for choice, (reason, text) in zip(self._choices, ends, strict=True):
            is_last = choice is self._choices[-1]
            held = text if final.last_seq + 1 + choice.index - self._choices[0].index > self._after_seq else ""
            told = {"index": choice.index, "text": held, "logprobs": None, "finish_reason": reason}
            extras = self._heading.extras(ended) if is_last else {}
            frames.append(self._frame({"choices": [told], **self._no_usage(), **extras}, last_id))
        if self._is_alone:
            frames.append(self.ending(final.usage, last_id))
        return b"".join(frames)

    def ending(self, usage: Usage, last_id: int | None = None) -> bytes:
        """The usage of everything that was asked for, if it is to be told, and [DONE]."""
        if not self._heading.has_usage:
            return DONE
        told = {**self._fields, "choices": [], "usage": usage_fields(usage)}
        return frame(orjson.dumps(told), last_id) + DONE

    def failed(self, error: DroverError) -> bytes:
        self.error = error
        return error_frame(error)

    def _run(self, event: TokensEvent, first: int, end: int) -> bytes:
        """The tokens from `first` to before `end`, all of one choice; b"" if there is nothing to tell."""
        choice = self._choices[event.choice_at(first)]
        logprobs = event.logprobs[first:end] if event.logprobs is not None else None
        told = choice.told(event.texts[first:end], logprobs)
        last_seq = event.first_seq + end - 1
        if last_seq <= self._after_seq or not (told["text"] or any(logprobs or ())):
            return b""
        return self._frame({"choices": [told], **self._no_usage()}, last_seq)

    def _frame(self, said: dict[str, Any], event_id: int) -> bytes:
        return frame(orjson.dumps({**self._fields, **said}), event_id if self._is_alone else None)

    def _no_usage(self) -> dict[str, None]:
        return {"usage": None} if self._heading.has_usage else {}
