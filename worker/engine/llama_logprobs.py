"""Logprobs: log-softmax over the raw logits of one output row."""

import math
from collections.abc import Sequence

import numpy as np

from shared.events import MIN_LOGPROB, TokenLogprob
from worker.engine.llama_candidates import Row, likeliest


def token_logprobs(row: Row, token: int, top: int, token_bytes: Sequence[bytes]) -> list[TokenLogprob]:
    """Of `token`, then of the `top` likeliest tokens, likeliest first, the lower id first where two are equal.

    numpy adds float32 numbers in pairs of pairs: over 151,936 of them it is right to six digits.
    """
    highest = float(row.max())
    norm = highest + math.log(float(np.exp(row - highest).sum()))
    best: list[int] = []
    if top > 0:
        found = likeliest(row, top)
        # Where the last place is shared, argpartition leaves some of its tokens out, and not always the same ones.
        found = np.flatnonzero(row >= row[found].min()) if len(found) >= top else found
        best = found[np.lexsort((found, -row[found]))][:top].tolist()
    return [TokenLogprob(one, max(MIN_LOGPROB, float(row[one]) - norm), token_bytes[one]) for one in (token, *best)]
