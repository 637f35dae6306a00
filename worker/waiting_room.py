"""The sequences that wait for a slot: interactive jobs before batch ones, within a class the older first."""

from bisect import insort
from collections.abc import Callable, Iterator
from operator import attrgetter

from worker.sequence import Sequence

_rank = attrgetter("rank")


class WaitingRoom:
    """In the order in which they are to be admitted."""

    def __init__(self) -> None:
        self._waiting: list[Sequence] = []

    def __iter__(self) -> Iterator[Sequence]:
        return iter(list(self._waiting))

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, sequence: Sequence) -> None:
        """Let the sequence wait; one that was here before gets its old place."""
        insort(self._waiting, sequence, key=_rank)

    def remove(self, sequence: Sequence) -> None:
        self._waiting.remove(sequence)

    def keep(self, is_kept: Callable[[Sequence], bool]) -> None:
        """Remove all others."""
        self._waiting = [sequence for sequence in self._waiting if is_kept(sequence)]


def youngest(sequences: list[Sequence]) -> Sequence:
    """The one to give up its room first: of the lowest class, then the latest to arrive."""
    return max(sequences, key=_rank)
