"""A thread that does one thing every so often and outlives every exception."""

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class Periodic:
    """Calls `act` every `every_s` seconds in a daemon thread. What `act` raises is logged and the thread goes on."""

    def __init__(self, name: str, every_s: float, act: Callable[[], None]):
        self._name = name
        self._every_s = every_s
        self._act = act
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._is_failing = False

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """End the thread; waits `timeout_s` at most for a call in progress."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._call()
            self._stopping.wait(self._every_s)

    def _call(self) -> None:
        """Call once; of a row of failures only the first is told, Redis may be away for a while."""
        try:
            self._act()
        except Exception as error:
            if not self._is_failing:
                log.warning("periodic_call_failed", thread=self._name, error=repr(error), exc_info=True)
            self._is_failing = True
        else:
            if self._is_failing:
                log.info("periodic_call_works_again", thread=self._name)
            self._is_failing = False
