"""The text completion of one prompt in one piece, as it is collected for a caller who does not stream."""

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.follow import Ended
from gateway.heading import Heading, ends_of, usage_fields
from gateway.text.choice import TextChoice
from shared.events import TokenLogprob, TokensEvent, Usage


class WholeText:
    """Collects each choice's tokens; `choices` and `usage` are there when the job has ended."""

    def __init__(self, heading: Heading, *, first_index: int = 0):
        self._heading = heading
        self._first_index = first_index
        self._texts: list[list[str]] = [[] for _ in range(heading.form.choices)]
        self._logprobs: list[list[list[TokenLogprob]]] = [[] for _ in range(heading.form.choices)]
        self.choices: list[dict[str, Any]] = []
        self.usage = Usage()
        self._extras: dict[str, Any] = {}

    def add(self, events: Sequence[TokensEvent]) -> None:
        for event in events:
            for first, end in event.runs():
                choice = event.choice_at(first)
                self._texts[choice] += event.texts[first:end]
                if event.logprobs is not None:
                    self._logprobs[choice] += event.logprobs[first:end]

    def answer(self, ended: Ended) -> bytes:
        self.usage, self._extras = ended.final.usage, self._heading.extras(ended)
        ends = ends_of(ended.final, len(self._texts))
        self.choices = [self._choice(index, *end) for index, end in enumerate(ends)]
        return document([self])

    def fields(self) -> dict[str, Any]:
        return {**self._heading.fields("text_completion", prefix="cmpl-"), **self._extras}

    def _choice(self, index: int, finish_reason: str, held_text: str) -> dict[str, Any]:
        texts, logprobs = self._texts[index], self._logprobs[index]
        told = TextChoice(self._first_index + index).told(texts, logprobs or None)
        return {**told, "text": told["text"] + held_text, "finish_reason": finish_reason}


def document(parts: Sequence[WholeText]) -> bytes:
    """OpenAI's completion of all prompts, when all have ended."""
    choices = [choice for part in parts for choice in part.choices]
    usage = usage_fields(total([part.usage for part in parts]))
    return orjson.dumps({**parts[0].fields(), "choices": choices, "usage": usage})


def total(usages: Sequence[Usage]) -> Usage:
    """The tokens of several jobs together."""
    return Usage(
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.completion_tokens for usage in usages),
        sum(usage.cached_tokens for usage in usages),
    )
