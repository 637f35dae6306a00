"""Figures of a run: quantiles, and the pauses that faults made in streams."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.fault.client import Received
from tests.fault.faults import Fault


@dataclass(frozen=True)
class Quantiles:
    """Of some times in seconds."""

    count: int
    p50: float
    p95: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Quantiles | None":
        """None for no values at all."""
        ordered = sorted(values)
        if not ordered:
            return None
        return cls(len(ordered), _at(ordered, 0.5), _at(ordered, 0.95), ordered[-1])

    def __str__(self) -> str:
        return f"{self.p50:.2f} / {self.p95:.2f} / {self.max:.2f} of {self.count}"


def pauses_s(faults: Sequence[Fault], streams: Sequence[Received]) -> list[float]:
    """For each fault and each stream that it hit: the longest gap between two chunks that the fault can have made."""
    return [
        pause
        for fault in faults
        for received in streams
        if _is_hit(fault, received) and (pause := _longest_gap(received.arrivals, fault)) is not None
    ]


def _is_hit(fault: Fault, received: Received) -> bool:
    if fault.job_ids is not None and received.job_id not in fault.job_ids:
        return False
    if fault.url is not None:
        return any(leg.url == fault.url and leg.begun <= fault.at <= leg.ended for leg in received.legs)
    return True


def _longest_gap(arrivals: Sequence[float], fault: Fault) -> float | None:
    """None when the stream had no chunk before the fault or none after it."""
    first = bisect_right(arrivals, fault.at) - 1
    if first < 0 or first + 1 >= len(arrivals):
        return None
    gaps = [
        after - before
        for before, after in zip(arrivals[first:], arrivals[first + 1 :], strict=False)
        if before <= fault.at + fault.window_s
    ]
    return max(gaps)


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
