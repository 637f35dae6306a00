"""llama.cpp's samplers for one sequence, in llama.cpp's order: penalties, top_k, typical_p, top_p, min_p, temperature.

Two choices are ours. `repeat_penalty` looks at the last tokens of prompt and answer, as llama.cpp's does; OpenAI's
presence and frequency penalties look at the whole answer and at nothing of the prompt. And with a `seed` the draw of
token n depends on (seed, n) alone, so a job that is continued elsewhere draws what it would have drawn.
"""

import math
import secrets
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Protocol

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from shared.errors import InferenceError
from shared.job import SamplingParams
from worker.engine.base import Sampled
from worker.engine.llama_calls import Calls

Pointer = Any  # ctypes' pointer to llama_sampler


class Outputs(Protocol):
    """What samplers need of the engine."""

    context: int
    context_length: int
    vocabulary_size: int
    end_tokens: frozenset[int]
    open_samplers: int
    calls: Calls

    def logits(self, row: int) -> NDArray[np.float32]: ...

    def batch_index(self, row: int) -> int: ...


class GreedySampler:
    """The likeliest token, without penalties: numpy finds it faster than a chain does."""

    def __init__(self, outputs: Outputs, params: SamplingParams):
        self._outputs = outputs
        self._forbidden = sorted(outputs.end_tokens) if params.ignore_eos else []

    def sample(self, row: int, seq: int) -> Sampled:
        logits = checked(self._outputs.logits(row))
        token = int(logits.argmax())
        if token in self._forbidden:
            allowed = logits.copy()
            allowed[self._forbidden] = -np.inf
            token = int(allowed.argmax())
        return Sampled(token)

    def close(self) -> None:
        return


class ChainSampler:
    """A llama.cpp sampler chain; it accepts its tokens by itself."""

    def __init__(self, outputs: Outputs, params: SamplingParams, prompt: Sequence[int], generated: Sequence[int]):
        self._outputs = outputs
        self._calls = outputs.calls
        self._seed = params.seed if params.temperature > 0 else None
        options = llama_cpp.llama_sampler_chain_default_params()
        options.no_perf = True
        self._chain: Pointer = llama_cpp.llama_sampler_chain_init(options)
        outputs.open_samplers += 1
        links = chain_links(outputs, params, prompt)
        for link in links:
            llama_cpp.llama_sampler_chain_add(self._chain, link)
        self._last = len(links) - 1
        for token in generated:
            llama_cpp.llama_sampler_accept(self._chain, token)

    def sample(self, row: int, seq: int) -> Sampled:
        checked(self._outputs.logits(row))
        if self._seed is not None:
            self._reseed(self._seed, seq)
        return Sampled(int(self._calls.sample(self._chain, self._outputs.context, self._outputs.batch_index(row))))

    def close(self) -> None:
        if self._chain is not None:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None
            self._outputs.open_samplers -= 1

    def _reseed(self, seed: int, seq: int) -> None:
        """llama.cpp can only begin a random sequence anew, so the link that draws is replaced: 3 µs."""
        calls = self._calls
        calls.free(calls.remove(self._chain, self._last))
        calls.add(self._chain, calls.draw(position_seed(seed, seq)))


def new_sampler(
    outputs: Outputs, params: SamplingParams, prompt: Sequence[int], generated: Sequence[int]
) -> GreedySampler | ChainSampler:
    """The fastest sampler that does what `params` says. Raises InferenceError for values llama.cpp would die of."""
    numbers = (params.temperature, params.top_p, params.min_p, params.typical_p, params.repeat_penalty)
    if not all(math.isfinite(number) for number in (*numbers, params.presence_penalty, params.frequency_penalty)):
        raise InferenceError("A sampling parameter is not a finite number.")
    if params.repeat_penalty <= 0:
        raise InferenceError("repeat_penalty must be above 0.")
    if params.temperature <= 0 and not has_penalties(params):
        return GreedySampler(outputs, params)
    return ChainSampler(outputs, params, prompt, generated)


def has_penalties(params: SamplingParams) -> bool:
    repeats = params.repeat_penalty != 1 and params.repeat_last_n != 0
    return repeats or params.presence_penalty != 0 or params.frequency_penalty != 0


def chain_links(outputs: Outputs, params: SamplingParams, prompt: Sequence[int]) -> list[Pointer]:
    """The links of the chain; the last one chooses."""
    links = []
    if params.ignore_eos:
        links.append(_forbid(outputs.vocabulary_size, outputs.end_tokens))
    links += _penalties(outputs, params, prompt)
    if params.temperature <= 0:
        return [*links, llama_cpp.llama_sampler_init_greedy()]
    if params.top_k > 0:
        links.append(llama_cpp.llama_sampler_init_top_k(min(params.top_k, outputs.vocabulary_size)))
    if params.typical_p < 1:
        links.append(llama_cpp.llama_sampler_init_typical(params.typical_p, 1))
    if params.top_p < 1:
        links.append(llama_cpp.llama_sampler_init_top_p(params.top_p, 1))
    if params.min_p > 0:
        links.append(llama_cpp.llama_sampler_init_min_p(params.min_p, 1))
    if params.temperature != 1:
        links.append(llama_cpp.llama_sampler_init_temp(params.temperature))
    return [*links, llama_cpp.llama_sampler_init_dist(secrets.randbits(31))]


def _penalties(outputs: Outputs, params: SamplingParams, prompt: Sequence[int]) -> list[Pointer]:
    links = []
    size = outputs.vocabulary_size
    window = outputs.context_length
    if params.repeat_last_n >= 0:
        window = min(window, params.repeat_last_n)  # llama.cpp reserves memory for all of it
    if params.repeat_penalty != 1 and window:
        repeat = llama_cpp.llama_sampler_init_penalties(size, window, params.repeat_penalty, 0.0, 0.0)
        for token in prompt[-window:]:
            llama_cpp.llama_sampler_accept(repeat, token)
        links.append(repeat)
    if params.presence_penalty or params.frequency_penalty:
        frequency, presence = params.frequency_penalty, params.presence_penalty
        whole = outputs.context_length
        links.append(llama_cpp.llama_sampler_init_penalties(size, whole, 1.0, frequency, presence))
    return links


def _forbid(vocabulary_size: int, tokens: frozenset[int]) -> Pointer:
    biases = (llama_cpp.llama_logit_bias * len(tokens))(
        *(llama_cpp.llama_logit_bias(token, -math.inf) for token in sorted(tokens))
    )
    return llama_cpp.llama_sampler_init_logit_bias(vocabulary_size, len(tokens), biases)


def checked(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """`logits` as they are. Raises InferenceError if the model computed no numbers: one NaN spreads over the row."""
    if math.isnan(logits[0]):
        raise InferenceError("The model computed no valid probabilities.")
    return logits


def position_seed(seed: int, seq: int) -> int:
    """31 bits that depend on both; 32 bits could be llama.cpp's "choose one at random"."""
    digest = blake2b(b"%d/%d" % (seed, seq), digest_size=4).digest()
    return int.from_bytes(digest) & 0x7FFFFFFF
