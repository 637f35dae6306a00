"""Log probabilities as OpenAI shows them."""

from collections.abc import Sequence
from typing import Any

from shared.events import TokenLogprob


def logprobs_fields(tokens: Sequence[Sequence[TokenLogprob]]) -> dict[str, Any]:
    """For each token its own first, then the likeliest ones at its place."""
    return {"content": [_described(places) for places in tokens], "refusal": None}


def _described(places: Sequence[TokenLogprob]) -> dict[str, Any]:
    chosen, *likeliest = [
        {"token": place.bytes.decode(errors="replace"), "logprob": place.logprob, "bytes": list(place.bytes)}
        for place in places
    ]
    return {**chosen, "top_logprobs": likeliest}
