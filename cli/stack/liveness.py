"""Tells a process that hangs from one that works: asks it over and over, beside the supervisor's own thread."""

import http.client
import threading
import time
from collections.abc import Callable

_EVERY_S = 1.0
_ANSWER_WITHIN_S = 3.0
_BAD_ANSWERS = 3
"""At least so many in a row: time alone may pass because the supervisor itself stood still."""


class Liveness:
    """What one process answers to `is_alive`, asked in a thread until `stop`."""

    def __init__(self, is_alive: Callable[[], bool], every_s: float = _EVERY_S):
        self._is_alive = is_alive
        self._every_s = every_s
        self._stopping = threading.Event()
        self._first_good: float | None = None
        self._bad_since: float | None = None
        self._bad_answers = 0
        threading.Thread(target=self._ask, name="liveness", daemon=True).start()

    @property
    def lived_s(self) -> float:
        """Seconds since its first good answer; 0 before."""
        return 0.0 if self._first_good is None else time.monotonic() - self._first_good

    @property
    def has_answered(self) -> bool:
        return self._first_good is not None

    @property
    def bad_s(self) -> float:
        """For how many seconds all its answers have been bad, or none has come; 0 after a good one."""
        since = self._bad_since
        return 0.0 if since is None or self._bad_answers < _BAD_ANSWERS else time.monotonic() - since

    def stop(self) -> None:
        self._stopping.set()

    def _ask(self) -> None:
        while not self._stopping.wait(self._every_s):
            asked = time.monotonic()
            if self._is_alive():
                self._first_good = self._first_good or time.monotonic()
                self._bad_since, self._bad_answers = None, 0
            else:
                self._bad_since = self._bad_since or asked
                self._bad_answers += 1


def answers_live(host: str, port: int) -> bool:
    """Whether /livez there answers 200 in time."""
    connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_WITHIN_S)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
