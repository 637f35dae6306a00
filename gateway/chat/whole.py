"""A job's answer in one piece, as it is collected for a caller who does not stream."""

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.chat.calls import message_of, reason_of
from gateway.chat.logprobs import logprobs_fields
from gateway.follow import Ended
from gateway.heading import Heading, ends_of, usage_fields
from shared.events import TokenLogprob, TokensEvent


class WholeChat:
    """The texts, and logprobs if there are any, of each choice."""

    def __init__(self, heading: Heading):
        self._heading = heading
        self._texts: dict[int, list[str]] = {}
        self._logprobs: dict[int, list[list[TokenLogprob]]] = {}

    def add(self, events: Sequence[TokensEvent]) -> None:
        for event in events:
            for first, end in event.runs():
                choice = event.choice_at(first)
                self._texts.setdefault(choice, []).extend(event.texts[first:end])
                if event.logprobs is not None:
                    self._logprobs.setdefault(choice, []).extend(event.logprobs[first:end])

    def answer(self, ended: Ended) -> bytes:
        """OpenAI's chat completion, when all has been added."""
        choices = max(self._heading.form.choices, 1 + len(ended.final.others), 1 + max(self._texts, default=0))
        told = [self._choice(index, *end) for index, end in enumerate(ends_of(ended.final, choices))]
        return orjson.dumps(
            {
                **self._heading.fields("chat.completion", prefix="chatcmpl-"),
                "choices": told,
                "usage": usage_fields(ended.final.usage),
                **self._heading.extras(ended),
            }
        )

    def _choice(self, index: int, finish_reason: str, held_text: str) -> dict[str, Any]:
        text = "".join([*self._texts.get(index, ()), held_text])
        form = self._heading.form
        said = message_of(text, form, self._heading.job_id, index) if form.tool_names else {"content": text}
        message: dict[str, Any] = {"role": "assistant", "refusal": None, "annotations": [], **said}
        reason = reason_of(finish_reason, form, has_calls=len(said) > 1)
        has_logprobs = index in self._logprobs
        logprobs = logprobs_fields(self._logprobs[index]) if has_logprobs else None
        return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": reason}
