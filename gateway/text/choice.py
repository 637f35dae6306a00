"""One choice of a text completion while its tokens come: OpenAI's older form of logprobs tells where each began."""

from collections.abc import Sequence
from typing import Any

from shared.events import TokenLogprob


class TextChoice:
    """`length` is how many characters the choice has so far."""

    def __init__(self, index: int):
        self.index = index
        self.length = 0

    def told(self, texts: Sequence[str], logprobs: Sequence[Sequence[TokenLogprob]] | None) -> dict[str, Any]:
        """The next tokens as a choice that goes on."""
        offset = self.length
        self.length += sum(map(len, texts))
        return {
            "index": self.index,
            "text": "".join(texts),
            "logprobs": None if logprobs is None else _fields(texts, logprobs, offset),
            "finish_reason": None,
        }


def _fields(texts: Sequence[str], logprobs: Sequence[Sequence[TokenLogprob]], offset: int) -> dict[str, Any]:
    """Columns: token, its logprob, the likeliest ones by their text, where it begins among the choice's characters.

    A prompt's first token has no logprob; an end token has neither logprob nor text and is left out.
    """
    tokens: list[str] = []
    values: list[float | None] = []
    likeliest: list[dict[str, float] | None] = []
    offsets: list[int] = []
    for text, places in zip(texts, logprobs, strict=True):
        if places or text:
            tokens.append(_shown(places[0]) if places else text)
            values.append(places[0].logprob if places else None)
            likeliest.append({_shown(place): place.logprob for place in places[1:]} if places else None)
            offsets.append(offset)
        offset += len(text)
    return {"tokens": tokens, "token_logprobs": values, "top_logprobs": likeliest, "text_offset": offsets}


def _shown(place: TokenLogprob) -> str:
    """A token that is no whole character is told as OpenAI tells it, by its bytes."""
    try:
        return place.bytes.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in place.bytes)
