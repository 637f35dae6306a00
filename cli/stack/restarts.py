"""When a process that died is started again, and when not any more."""

from dataclasses import dataclass

HEALTHY_AFTER_S = 3.0
"""A process that served for this long is healthy: its next death counts as the first."""

_DELAYS_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass
class Restarts:
    """Counts the deaths of one process that follow each other quickly, and its starts that came to nothing."""

    deaths: int = 0
    failed_starts: int = 0

    def next_delay_s(self, lived_s: float, *, has_served: bool = False) -> float | None:
        """How long to wait before the process, which served for `lived_s`, is started again; None: give up.

        One that has served is never given up: it can be started, and whatever ended it may end.
        """
        self.deaths = 1 if lived_s >= HEALTHY_AFTER_S else self.deaths + 1
        self.failed_starts = 0 if has_served or self.deaths == 1 else self.failed_starts + 1
        if self.failed_starts >= len(_DELAYS_S):
            return None
        return _DELAYS_S[min(self.deaths, len(_DELAYS_S)) - 1]
