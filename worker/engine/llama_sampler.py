"""The samplers of llama.cpp's engine: which one a job gets, and the two that need no look at single logits."""

from collections.abc import Sequence
from typing import Any

import llama_cpp
import numpy as np

from shared.job import GenerateJob, SamplingParams
from worker.engine.base import Sampled, Sampler
from worker.engine.lazy_grammar import TokenRule
from worker.engine.llama_calls import SMALL_VOCABULARY
from worker.engine.llama_chain import (
    Penalties,
    bias_link,
    biases,
    forbidding_link,
    has_penalties,
    is_greedy,
    tail_links,
)
from worker.engine.llama_outputs import Outputs, checked, sampled
from worker.engine.llama_params import check_params
from worker.engine.llama_row_sampler import RowSampler
from worker.engine.position_seeds import PositionSeeds

Pointer = Any  # ctypes' pointer to llama_sampler


class GreedySampler:
    """The likeliest token, without penalties or biases: numpy finds it faster than a chain does."""

    def __init__(self, outputs: Outputs, params: SamplingParams, top_logprobs: int | None = None):
        self._outputs = outputs
        self._params = params
        self._top = top_logprobs
        self._ends = sorted(outputs.end_tokens)

    def sample(self, row: int, seq: int) -> Sampled:
        logits = checked(self._outputs.logits(row))
        token = int(logits.argmax())
        if token in self._ends and (self._params.ignore_eos or seq <= self._params.min_tokens):
            allowed = logits.copy()
            allowed[self._ends] = -np.inf
            token = int(allowed.argmax())
        return sampled(self._outputs, row, token, self._top)

    def close(self) -> None:
        return


class ChainSampler:
    """A llama.cpp sampler chain that sees every token; it accepts its tokens by itself."""

    def __init__(self, outputs: Outputs, params: SamplingParams, seeds: PositionSeeds, top_logprobs: int | None = None):
        self._outputs = outputs
        self._calls = outputs.calls
        self._seeds = seeds
        self._top = top_logprobs
        self._min_tokens = params.min_tokens
        self._penalties = Penalties(params, outputs.vocabulary_size, outputs.context_length, outputs.dry)
        options = llama_cpp.llama_sampler_chain_default_params()
        options.no_perf = True
        self._chain: Pointer = llama_cpp.llama_sampler_chain_init(options)
        outputs.open_samplers += 1
        self._forbids_end_for_now = params.min_tokens > 0 and not params.ignore_eos
        links = self._links(params)
        for link in links:
            llama_cpp.llama_sampler_chain_add(self._chain, link)
        self._last = len(links) - 1
        self._is_seeded = seeds.is_given and not is_greedy(params)

    def read(self, prompt: Sequence[int], generated: Sequence[int]) -> None:
        """Remember what was said before."""
        self._penalties.read(prompt, generated)

    def sample(self, row: int, seq: int) -> Sampled:
        checked(self._outputs.logits(row))
        if self._forbids_end_for_now and seq > self._min_tokens:
            self._forbids_end_for_now = False
            self._calls.free(self._calls.remove(self._chain, 0))
            self._last -= 1
        if self._is_seeded:
            self._reseed(seq)
        token = int(self._calls.sample(self._chain, self._outputs.context, self._outputs.batch_index(row)))
        return sampled(self._outputs, row, token, self._top)

    def close(self) -> None:
        if self._chain is not None:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None
            self._outputs.open_samplers -= 1

    def _links(self, params: SamplingParams) -> list[Pointer]:
        """The links of the chain; one that forbids ends comes first, the one that chooses last."""
        size = self._outputs.vocabulary_size
        links = []
        if params.ignore_eos or params.min_tokens > 0:
            links.append(forbidding_link(size, self._outputs.end_tokens))
        if params.logit_bias:
            links.append(bias_link(size, biases(params)))
        links += self._penalties.links
        if is_greedy(params):
            return [*links, llama_cpp.llama_sampler_init_greedy()]
        return [*links, *tail_links(params, size), llama_cpp.llama_sampler_init_dist(self._seeds.seed(0))]

    def _reseed(self, seq: int) -> None:
        """llama.cpp can only begin a random sequence anew, so the link that draws is replaced: 3 µs."""
        calls = self._calls
        calls.free(calls.remove(self._chain, self._last))
        calls.add(self._chain, calls.draw(self._seeds.seed(seq)))


def new_sampler(
    outputs: Outputs,
    job: GenerateJob,
    prompt: Sequence[int],
    generated: Sequence[int],
    choice: int,
    grammar: TokenRule | None = None,
) -> Sampler:
    """The fastest sampler that does what the job says; it closes `grammar`. Raises BadRequestError."""
    params, top = job.sampling, job.top_logprobs
    check_params(params, outputs.vocabulary_size)
    seeds = PositionSeeds(params.seed, choice)
    is_plain = grammar is None and not params.logit_bias and not has_penalties(params)
    if is_plain and is_greedy(params):
        return GreedySampler(outputs, params, top)
    needs_row = grammar is not None or params.mirostat or params.typical_p < 1
    if needs_row or outputs.vocabulary_size > SMALL_VOCABULARY:
        by_row = RowSampler(outputs, params, seeds, top, grammar)
        by_row.read(prompt, generated)
        return by_row
    chain = ChainSampler(outputs, params, seeds, top)
    chain.read(prompt, generated)
    return chain
