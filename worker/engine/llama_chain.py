"""The links of a llama.cpp sampler chain for one job, in llama.cpp's order.

logit_bias, penalties, DRY (the *head*: it changes single logits), then top_k, typical_p, top_p, min_p, temperature (the
*tail*: it cuts and sharpens), then the draw. With mirostat the order is llama.cpp's too: logit_bias, temperature,
mirostat, and nothing else.

Two choices are ours. `repeat_penalty` and DRY look at prompt and answer, as llama.cpp's do; OpenAI's presence and
frequency penalties look at the whole answer and at nothing of the prompt. A bias of -100 forbids a token.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import llama_cpp

from shared.job import SamplingParams
from worker.engine.llama_dry import DrySamplers

Pointer = Any  # ctypes' pointer to llama_sampler

FORBIDS = -100.0
GREEDY_BELOW = 1e-4
"""Temperatures under it choose the likeliest: a logit divided by less could leave what a float32 holds."""


def is_greedy(params: SamplingParams) -> bool:
    return params.temperature < GREEDY_BELOW


def has_penalties(params: SamplingParams) -> bool:
    """Whether the head holds more than biases; mirostat goes without, as in llama.cpp."""
    if params.mirostat and not is_greedy(params):
        return False
    return _repeats(params) or _counts(params) or _is_dry(params)


def biases(params: SamplingParams) -> dict[int, float]:
    """By token; minus infinity for those that are forbidden."""
    return {token: -math.inf if bias <= FORBIDS else bias for token, bias in params.logit_bias.items()}


def bias_link(vocabulary_size: int, by_token: dict[int, float]) -> Pointer:
    """Adds to logits, by token."""
    pairs = (llama_cpp.llama_logit_bias * len(by_token))(
        *(llama_cpp.llama_logit_bias(token, bias) for token, bias in by_token.items())
    )
    return llama_cpp.llama_sampler_init_logit_bias(vocabulary_size, len(pairs), pairs)


def forbidding_link(vocabulary_size: int, tokens: Iterable[int]) -> Pointer:
    return bias_link(vocabulary_size, dict.fromkeys(sorted(tokens), -math.inf))


class Penalties:
    """The links that remember what was said. The chain that they are added to frees them."""

    def __init__(self, params: SamplingParams, vocabulary_size: int, context_length: int, dry: DrySamplers):
        self.links: list[Pointer] = []
        self._reads_prompt: list[tuple[Pointer, int]] = []
        if not has_penalties(params):
            return
        if _repeats(params):
            window = _window(params.repeat_last_n, context_length)
            repeat = llama_cpp.llama_sampler_init_penalties(vocabulary_size, window, params.repeat_penalty, 0.0, 0.0)
            self._take(repeat, window)
        if _counts(params):
            frequency, presence = params.frequency_penalty, params.presence_penalty
            self._take(
                llama_cpp.llama_sampler_init_penalties(vocabulary_size, context_length, 1.0, frequency, presence), 0
            )
        if _is_dry(params):
            window = _window(params.dry_penalty_last_n, context_length)
            self._take(dry.new(params, window), window)

    def read(self, prompt: Sequence[int], generated: Sequence[int]) -> None:
        """Remember what was said before."""
        for link, window in self._reads_prompt:
            for token in prompt[-window:] if window else ():
                llama_cpp.llama_sampler_accept(link, token)
        for link in self.links:
            for token in generated:
                llama_cpp.llama_sampler_accept(link, token)

    def _take(self, link: Pointer, prompt_window: int) -> None:
        self.links.append(link)
        self._reads_prompt.append((link, prompt_window))


def tail_links(params: SamplingParams, vocabulary_size: int) -> list[Pointer]:
    """What cuts and sharpens, without the draw."""
    links = []
    if params.top_k > 0:
        links.append(llama_cpp.llama_sampler_init_top_k(min(params.top_k, vocabulary_size)))
    if params.typical_p < 1:
        links.append(llama_cpp.llama_sampler_init_typical(params.typical_p, 1))
    if params.top_p < 1:
        links.append(llama_cpp.llama_sampler_init_top_p(params.top_p, 1))
    if params.min_p > 0:
        links.append(llama_cpp.llama_sampler_init_min_p(params.min_p, 1))
    if params.temperature != 1:
        links.append(llama_cpp.llama_sampler_init_temp(params.temperature))
    return links


def _repeats(params: SamplingParams) -> bool:
    return params.repeat_penalty != 1 and params.repeat_last_n != 0


def _counts(params: SamplingParams) -> bool:
    return params.presence_penalty != 0 or params.frequency_penalty != 0


def _is_dry(params: SamplingParams) -> bool:
    return params.dry_multiplier != 0 and params.dry_base >= 1 and params.dry_penalty_last_n != 0


def _window(last_n: int, context_length: int) -> int:
    """Tokens that a sampler looks back at; negative: all. llama.cpp reserves memory for all of them."""
    return context_length if last_n < 0 else min(context_length, last_n)
