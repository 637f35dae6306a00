"""Log probabilities as OpenAI shows them."""

from collections.abc import Sequence
from typing import Any

from shared.events import TokenLogprob


def logprobs_fields(tokens: Sequence[Sequence[TokenLogprob]]) -> dict[str, Any]:
    """For each token its own first, then the likeliest ones at its place; a token that has none is left out."""
    return {"content": [_described(places) for places in tokens if places], "refusal": None}


def _described(places: Sequence[TokenLogprob]) -> dict[str, Any]:
    chosen, *likeliest = [
        {"token": place.bytes.decode(errors="replace"), "logprob": place.logprob, "bytes": list(place.bytes)}
        for place in places
    ]
    return {**chosen, "top_logprobs": likeliest}
