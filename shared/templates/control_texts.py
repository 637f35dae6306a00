"""The texts of a vocabulary's control tokens, kept apart where a caller has written them in words of their own."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from shared.tool_calls import MARKS

MOST_IN_A_PART = 256
"""llama.cpp's tokenizer takes a time that grows with the square of the control tokens in a text."""

GUARD = "\ufdd0"
"""Put behind the first character of such a text. Unicode says that it is no character, so nobody's words have it."""


class ControlTexts:
    """Texts that a tokenizer takes for control tokens, by which a message could end itself and begin another.

    The marks of tool calls are left alone: they end no message, and we write some of them into contents ourselves.
    """

    def __init__(self, texts: Iterable[str] = ()):
        rests = _by_first(json.dumps(text, ensure_ascii=False)[1:-1] for text in set(texts) - MARKS if len(text) > 1)
        beginnings = (f"{re.escape(first)}(?={_one_of(rest)})" for first, rest in sorted(rests.items()))
        self._beginning = re.compile("|".join(beginnings)) if rests else None

    def guarded(self, value: Any) -> Any:
        """What JSON can say, with a GUARD in every such text."""
        if self._beginning is None:
            return value
        written = json.dumps(value, ensure_ascii=False)
        kept = self._beginning.sub(lambda found: found[0] + GUARD, written)
        return value if kept == written else json.loads(kept)

    def parts(self, text: str) -> list[str]:
        """The text in parts that become the same tokens one by one, none of them with many control tokens."""
        if self._beginning is None:
            return [text]
        cuts = [found.start() for found in self._beginning.finditer(text)][MOST_IN_A_PART::MOST_IN_A_PART]
        return [text[start:end] for start, end in pairwise((0, *cuts, len(text)))]


def apart(text: str) -> list[str]:
    """The parts of a rendered text; each must become tokens by itself, or what was kept apart is a control token."""
    return text.split(GUARD)


def _one_of(texts: set[str]) -> str:
    """A pattern that looks at each character once: a long text of half ones must not hold up the service."""
    first, last = min(texts), max(texts)
    length = next(
        (place for place, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), len(first)
    )
    common = first[:length]
    if common in texts:
        return re.escape(common)
    rests = _by_first(text[length:] for text in texts)
    branches = (re.escape(begun) + _one_of(rest) for begun, rest in sorted(rests.items()))
    return f"{re.escape(common)}(?:{'|'.join(branches)})"


def _by_first(texts: Iterable[str]) -> dict[str, set[str]]:
    """What follows each first character."""
    rests = defaultdict(set)
    for text in texts:
        rests[text[0]].add(text[1:])
    return rests
