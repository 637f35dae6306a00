"""Mirostat 1 and 2 as the tail of a chain, with their aim kept outside of llama.cpp."""

from typing import Any

import llama_cpp
import numpy as np

from shared.job import SamplingParams
from worker.engine.llama_calls import Calls
from worker.engine.llama_candidates import Candidates, Ids, Row, likeliest
from worker.engine.position_seeds import PositionSeeds

Pointer = Any  # ctypes' pointer to llama_sampler

ESTIMATED_FROM = 100  # tokens that mirostat 1 looks at for its estimate: llama.cpp's own default
SHOWN = 1024  # tokens that mirostat 1 sees at first
SMALLEST = float(np.finfo(np.float32).tiny)


class MirostatTail:
    """The aim `mu` moves with every token, by how surprising that was.

    llama.cpp begins with mu = 2 tau and tells nobody where it stands. So each token gets a sampler of its own with
    tau = mu / 2, which begins where the last one ended, and the move is made here.
    """

    def __init__(self, params: SamplingParams, vocabulary_size: int, calls: Calls, seeds: PositionSeeds):
        self._params = params
        self._vocabulary_size = vocabulary_size
        self._calls = calls
        self._seeds = seeds
        self._mu = np.float32(2 * params.mirostat_tau)
        self._last: Candidates | None = None
        self._temperature = llama_cpp.llama_sampler_init_temp(params.temperature)

    def choose(self, row: Row, seq: int, attempt: int) -> int:
        """The token number `seq`; `row` holds at least one finite logit and no NaN."""
        seed = self._seeds.seed(seq, attempt)
        self._last = self._version_1(row, seed) if self._params.mirostat == 1 else self._version_2(row, seed)
        return self._last.chosen

    def took(self, token: int) -> None:
        """`token` followed on the row that `choose` saw last, whether it was the chosen one or not."""
        if self._last is not None:
            surprise = -np.log2(np.float32(max(self._last.probability(token), SMALLEST)))
            self._mu -= np.float32(self._params.mirostat_eta) * (surprise - np.float32(self._params.mirostat_tau))

    def close(self) -> None:
        if self._temperature is not None:
            llama_cpp.llama_sampler_free(self._temperature)
            self._temperature = None

    def _version_1(self, row: Row, seed: int) -> Candidates:
        """It keeps a number of tokens that only it knows: if that is all that it was shown, it is shown everything."""
        ids = likeliest(row, SHOWN)
        candidates = self._apply(ids, row, self._sampler_1(seed))
        if candidates.size < len(ids) or len(ids) < SHOWN:
            return candidates
        return self._apply(np.flatnonzero(row > -np.inf), row, self._sampler_1(seed))

    def _sampler_1(self, seed: int) -> Pointer:
        return llama_cpp.llama_sampler_init_mirostat(
            self._vocabulary_size, seed, float(self._mu) / 2, 0.0, ESTIMATED_FROM
        )

    def _version_2(self, row: Row, seed: int) -> Candidates:
        """It keeps tokens with a probability of at least 2^-mu: the others are not shown, and mu moved accordingly."""
        weights = np.exp((row - row.max()) / np.float32(self._params.temperature))
        whole = float(weights.sum(dtype=np.float64))
        exponent = min(200.0, max(-200.0, float(self._mu)))
        least = min(1.0, whole * 2.0**-exponent * (1 - 1e-5))
        ids = np.flatnonzero(weights >= max(least, SMALLEST))
        share = float(weights[ids].sum(dtype=np.float64)) / whole
        mu = float(self._mu) + float(np.log2(share))
        return self._apply(ids, row, llama_cpp.llama_sampler_init_mirostat_v2(seed, mu / 2, 0.0))

    def _apply(self, ids: Ids, row: Row, sampler: Pointer) -> Candidates:
        candidates = Candidates(ids, row)
        candidates.apply(self._calls, (self._temperature, sampler))
        self._calls.free(sampler)
        return candidates
