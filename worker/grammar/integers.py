"""Integers between two bounds, as GBNF."""

from worker.grammar.errors import GrammarError
from worker.grammar.gbnf import either, literal, repeated

MAX_DIGITS = 18  # what every reader of JSON can hold


def integers(low: int | None, high: int | None) -> str:
    """Every integer from `low` to `high` in its shortest spelling; None: as far as `MAX_DIGITS` go."""
    limit = 10**MAX_DIGITS - 1
    low = -limit if low is None else low
    high = limit if high is None else high
    if abs(low) > limit or abs(high) > limit:
        raise GrammarError(f"bounds of more than {MAX_DIGITS} digits are not supported")
    if low > high:
        raise GrammarError("minimum is above maximum")
    parts = []
    if low < 0:
        parts += [f'"-" {part}' for part in _magnitudes(max(1, -high), -low)]
    if high >= 0:
        parts += _magnitudes(max(0, low), high)
    return either(parts)


def _magnitudes(low: int, high: int) -> list[str]:
    """Numbers from low ≥ 0 to high, by their count of digits."""
    parts = []
    if low == 0:
        parts.append('"0"')
        low = 1
    for digits in range(len(str(low)), len(str(high)) + 1):
        first, last = max(low, 10 ** (digits - 1)), min(high, 10**digits - 1)
        if first <= last:
            parts.append(_same_length(str(first), str(last)))
    return parts


def _same_length(low: str, high: str) -> str:
    """Strings of digits from low to high, both of one length."""
    if low == high:
        return literal(low)
    if low[0] == high[0]:
        return f"{literal(low[0])} {_same_length(low[1:], high[1:])}"
    rest = len(low) - 1
    if not rest:
        return _digit(low, high)
    parts = []
    first, last = int(low[0]), int(high[0])
    if low[1:] != "0" * rest:
        parts.append(f"{literal(low[0])} {_same_length(low[1:], '9' * rest)}")
        first += 1
    if high[1:] != "9" * rest:
        parts.append(f"{literal(high[0])} {_same_length('0' * rest, high[1:])}")
        last -= 1
    if first <= last:
        parts.append(f"{_digit(str(first), str(last))} {repeated('[0-9]', rest, rest)}")
    return either(parts)


def _digit(low: str, high: str) -> str:
    return literal(low) if low == high else f"[{low}-{high}]"
