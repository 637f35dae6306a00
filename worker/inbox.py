"""What other threads hand to a decode thread, and what they can reach there."""

import threading
from collections import deque
from collections.abc import Callable
from itertools import count

from shared.errors import ModelUnavailableError
from worker.answer import Answer
from worker.sequence import Sequence


class Inbox:
    """Thread-safe. Holds every answer from its arrival until the decode thread forgets it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._arrived: deque[list[Sequence]] = deque()
        self._live: dict[tuple[str, int], Answer] = {}
        """By job and epoch: an older life of a job may come late, and its end is not the younger one's."""
        self._arrivals = count()
        self._is_closed = False

    @property
    def unfinished(self) -> int:
        """Answers that run or wait."""
        return len(self._live)

    def put(self, sequences: list[Sequence]) -> None:
        """Hand over the choices of one answer. Raises ModelUnavailableError after close."""
        answer = sequences[0].answer
        with self._changed:
            if self._is_closed:
                raise ModelUnavailableError
            answer.arrival = next(self._arrivals)
            self._live[answer.job.id, answer.epoch] = answer
            self._arrived.append(sequences)
            self._changed.notify()

    def find(self, job_id: str, epoch: int) -> Answer | None:
        with self._changed:
            return self._live.get((job_id, epoch))

    def wake(self) -> None:
        """Make the decode thread look at its sequences, also when it has none."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Abandon all answers and end the decode thread's wait for more."""
        with self._changed:
            self._is_closed = True
            for answer in self._live.values():
                answer.abandon()
            self._changed.notify()

    def wait(self, has_work: Callable[[], bool]) -> bool:
        """Block the decode thread until there is work, here or by `has_work`; False once the inbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._arrived or has_work())
            return not self._is_closed

    def take(self) -> list[list[Sequence]]:
        """What has arrived since the last call."""
        with self._changed:
            arrived = list(self._arrived)
            self._arrived.clear()
        return arrived

    def forget(self, answer: Answer) -> None:
        with self._changed:
            self._live.pop((answer.job.id, answer.epoch), None)
