"""Failed loads, remembered: a broken model is not tried again at once for everyone who asks for it."""

from dataclasses import dataclass

from shared.catalogue import ModelEntry
from shared.errors import DroverError, InsufficientMemoryError, ModelLoadError

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
LASTING = (ModelLoadError, InsufficientMemoryError)
"""The errors that the next attempt would meet again; others are of the moment."""


@dataclass(frozen=True, slots=True)
class _Failure:
    error: DroverError
    pause_s: float
    until: float


class LoadFailures:
    """The last failure of each entry of the catalogue; a changed entry is a new one and may be tried at once.

    Times are seconds of time.monotonic(). Not thread-safe.
    """

    def __init__(self) -> None:
        self._failures: dict[ModelEntry, _Failure] = {}

    def check(self, entry: ModelEntry, now: float) -> None:
        """Raises the error again, with the cause and when to come again, while the model may not be tried."""
        failure = self._failures.get(entry)
        if failure is not None and now < failure.until:
            raise type(failure.error)(failure.error.message, retry_after_s=failure.until - now)

    def remember(self, entry: ModelEntry, error: DroverError, now: float) -> None:
        """Each failure in a row doubles the pause. Errors that are not LASTING are ignored."""
        if not isinstance(error, LASTING):
            return
        before = self._failures.get(entry)
        pause_s = min(before.pause_s * 2, LONGEST_PAUSE_S) if before else FIRST_PAUSE_S
        self._failures[entry] = _Failure(error, pause_s, now + pause_s)

    def forget(self, entry: ModelEntry) -> None:
        self._failures.pop(entry, None)

    def pauses(self, now: float) -> dict[ModelEntry, float]:
        """The entries that may not be tried now, with the seconds until they may."""
        return {entry: failure.until - now for entry, failure in self._failures.items() if now < failure.until}
