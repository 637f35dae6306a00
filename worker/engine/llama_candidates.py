"""Candidates: llama.cpp's llama_token_data_array over numpy's memory, and the choice of those that matter."""

import ctypes
from collections.abc import Sequence
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from worker.engine.llama_calls import SMALL_VOCABULARY, Calls

Pointer = Any  # ctypes' pointer to llama_sampler
Row = NDArray[np.float32]
"""Logits by token id."""
Ids = NDArray[np.intp]

_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
BLOCK = 4096
SORTED_AT_ONCE = 1024
STRIDE = 16
_GAPS = (2.0, 4.0, 8.0, 16.0, 32.0)
"""How far below the likeliest token's logit a candidate may lie: one look each, few tokens pass the first."""


class Candidates:
    """Some tokens with their logits, as llama.cpp's samplers take them."""

    def __init__(self, ids: Ids, row: Row):
        self._data = np.zeros(len(ids), dtype=_TOKEN_DATA)
        self._data["id"] = ids
        self._data["logit"] = row[ids]
        pointer = ctypes.cast(self._data.ctypes.data, llama_cpp.llama_token_data_p)
        self._struct = llama_cpp.llama_token_data_array(pointer, len(ids), -1, False)

    def apply(self, calls: Calls, links: Sequence[Pointer]) -> None:
        """Let every link change, sort, cut or choose."""
        call = calls.apply_to_few if len(self._data) <= SMALL_VOCABULARY else calls.apply_to_many
        reference = ctypes.byref(self._struct)
        for link in links:
            call(link, reference)

    @property
    def logits(self) -> Row:
        """In the order that the candidates were given, as long as no link has sorted or cut them."""
        logits: Row = self._data["logit"]
        return logits

    @property
    def size(self) -> int:
        """How many the links have left."""
        return int(self._struct.size)

    @property
    def chosen(self) -> int:
        """The token that the last link has chosen."""
        return int(self._data["id"][self._struct.selected])

    def probability(self, token: int) -> float:
        """Of one of the tokens that are left, by the last link's softmax; of one that was cut, the smallest."""
        left = self._data[: self.size]
        found = np.flatnonzero(left["id"] == token)
        return float(left["p"][found[0]] if len(found) else left["p"].min())


def likeliest(row: Row, count: int) -> Ids:
    """The `count` tokens with the highest logits, in no order; tokens at -inf are left out.

    Every 16th token tells about where the last of them lies; only if it told wrongly are all looked through.
    """
    some = row[::STRIDE]
    rank = 2 * count // STRIDE + 8
    least = np.partition(some, -rank)[-rank] if rank < len(some) else -np.inf
    near = np.flatnonzero(row >= least) if least > -np.inf else np.empty(0, dtype=np.intp)
    if len(near) < count:
        near = np.flatnonzero(row > -np.inf)
    if len(near) <= count:
        return near
    return near[np.argpartition(row[near], -count)[-count:]]


def within(row: Row, log_share: float) -> Ids:
    """Every token whose probability is at least e^log_share of the likeliest one's."""
    return np.flatnonzero(row >= row.max() + np.float32(log_share))


def nucleus(weights: Row, mass: float) -> Ids:
    """The fewest of the heaviest tokens that have `mass` together, as top_p keeps them; `weights` are 1 at most.

    Halves that are kept or dropped as a whole need no order: only the last few hundred tokens are sorted.
    """
    near = _with_mass(weights, mass)
    kept = []
    while len(near) > SORTED_AT_ONCE:
        middle = len(near) // 2
        parts = near[np.argpartition(weights[near], middle)]
        upper_mass = float(weights[parts[middle:]].sum())
        if upper_mass >= mass:
            near = parts[middle:]
        else:
            kept.append(parts[middle:])
            mass -= upper_mass
            near = parts[:middle]
    near = near[np.argsort(-weights[near])]
    count = int(np.searchsorted(np.cumsum(weights[near], dtype=np.float64), mass)) + 1
    return np.concatenate([*kept, near[:count]])


def block(weights: Row, fraction: float) -> slice:
    """Where a block of `weights` lies that is drawn by its sum; a draw inside of it completes a draw from all of them.

    `fraction` in [0, 1) decides.
    """
    starts = np.arange(0, len(weights), BLOCK)
    sums = np.cumsum(np.add.reduceat(weights, starts), dtype=np.float64)
    drawn = int(np.searchsorted(sums, fraction * sums[-1], side="right"))
    start = int(starts[min(drawn, len(starts) - 1)])
    return slice(start, start + BLOCK)


def _with_mass(weights: Row, mass: float) -> Ids:
    """Tokens above some weight, and enough of them to have `mass` together."""
    for gap in _GAPS:
        near = np.flatnonzero(weights >= np.exp(-gap))
        if float(weights[near].sum()) >= mass:
            return near
    return np.flatnonzero(weights > 0)
