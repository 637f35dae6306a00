"""The tail of a chain over a large vocabulary: llama.cpp's links, shown only the candidates that can matter.

A chain over 151,936 candidates takes 1 to 30 ms, because it sorts them and takes their exponentials one by one. numpy
finds in a tenth of it what a link would keep, and the chain chooses among these with the same probabilities:

- with top_k the likeliest k are shown, and all links work on them,
- top_p's and min_p's cuts are made here, by the probabilities of all tokens,
- if many are left, one block of them is drawn first, by its part of the probability, and the token inside of it,
- typical_p without top_k needs the order of all tokens, and gets it: it alone stays slow.
"""

from typing import Any

import llama_cpp
import numpy as np

from shared.job import SamplingParams
from worker.engine.llama_calls import Calls
from worker.engine.llama_candidates import BLOCK, Candidates, Ids, Row, block, likeliest, nucleus, within
from worker.engine.llama_chain import tail_links
from worker.engine.position_seeds import PositionSeeds

Pointer = Any  # ctypes' pointer to llama_sampler

UNLIKELIEST = 80.0  # e^-80 is still more than 0 as a float32


class Tail:
    """Chooses from a row whose head has been applied; it keeps nothing from one token to the next."""

    def __init__(self, params: SamplingParams, vocabulary_size: int, calls: Calls, seeds: PositionSeeds):
        self._params = params
        self._calls = calls
        self._seeds = seeds
        self._cuts_here = params.top_k <= 0 and params.typical_p >= 1
        cut = params.model_copy(update={"top_p": 1.0, "min_p": 0.0}) if self._cuts_here else params
        self._links = tail_links(cut, vocabulary_size)

    def choose(self, row: Row, seq: int, attempt: int) -> int:
        """The token number `seq`; `row` holds at least one finite logit and no NaN."""
        candidates = Candidates(self._shown(row, seq, attempt), row)
        draw = self._calls.draw(self._seeds.seed(seq, attempt))
        candidates.apply(self._calls, (*self._links, draw))
        self._calls.free(draw)
        return candidates.chosen

    def took(self, token: int) -> None:
        """Nothing to remember."""

    def close(self) -> None:
        while self._links:
            llama_cpp.llama_sampler_free(self._links.pop())

    def _shown(self, row: Row, seq: int, attempt: int) -> Ids:
        params = self._params
        if params.top_k > 0 or params.typical_p < 1:
            ids = likeliest(row, min(params.top_k, len(row)) if params.top_k > 0 else len(row))
            # Where a probability is 0, typical_p computes 0 x log 0, and sorts by what that is.
            return ids if params.typical_p >= 1 else ids[row[ids] > row.max() - UNLIKELIEST]
        kept = _kept(row, params)
        left = row[kept]
        if len(left) > BLOCK:
            weights = np.exp((left - left.max()) / np.float32(params.temperature))
            drawn = block(weights, self._seeds.fraction(seq, attempt))
            return np.arange(len(row))[drawn] if isinstance(kept, slice) else kept[drawn]
        return np.arange(len(row)) if isinstance(kept, slice) else kept


def _kept(row: Row, params: SamplingParams) -> Ids | slice:
    """What top_p and then min_p leave; a slice: everything."""
    if params.top_p >= 1:
        return within(row, _log(params.min_p)) if params.min_p > 0 else slice(None)
    weights = np.exp(row - row.max())
    ids = nucleus(weights, float(weights.sum()) * max(0.0, params.top_p))
    return ids[row[ids] >= row.max() + _log(params.min_p)] if params.min_p > 0 else ids


def _log(share: float) -> float:
    """A share above 1 keeps the likeliest alone, as 1 does."""
    return float(np.log(min(1.0, share)))
