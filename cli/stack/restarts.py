"""When a process that died is started again, and when not any more."""

from dataclasses import dataclass

HEALTHY_AFTER_S = 3.0
"""A process that served for this long is healthy: its next death counts as the first."""

_DELAYS_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass
class Restarts:
    """Counts the deaths of one process that follow each other quickly."""

    deaths: int = 0

    def next_delay_s(self, lived_s: float) -> float | None:
        """How long to wait before the process, which served for `lived_s`, is started again; None: give up."""
        self.deaths = 1 if lived_s >= HEALTHY_AFTER_S else self.deaths + 1
        return _DELAYS_S[self.deaths - 1] if self.deaths <= len(_DELAYS_S) else None
