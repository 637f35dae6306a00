"""Failed loads, remembered: a broken model is not tried again at once for everyone who asks for it."""

from dataclasses import dataclass

from shared.errors import ModelLoadError

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ModelLoadError
    pause_s: float
    until: float


class LoadFailures:
    """The last failure of each model. Times are seconds of time.monotonic(). Not thread-safe."""

    def __init__(self) -> None:
        self._failures: dict[str, _Failure] = {}

    def check(self, name: str, now: float) -> None:
        """Raises ModelLoadError, with the cause and when to come again, while the model may not be tried."""
        failure = self._failures.get(name)
        if failure is not None and now < failure.until:
            raise ModelLoadError(failure.error.message, retry_after_s=failure.until - now)

    def remember(self, name: str, error: ModelLoadError, now: float) -> None:
        """Each failure in a row doubles the pause."""
        before = self._failures.get(name)
        pause_s = min(before.pause_s * 2, LONGEST_PAUSE_S) if before else FIRST_PAUSE_S
        self._failures[name] = _Failure(error, pause_s, now + pause_s)

    def forget(self, name: str) -> None:
        self._failures.pop(name, None)
