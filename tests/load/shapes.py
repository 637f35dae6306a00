"""The shapes of a load: how many users there are at each moment. Pure, so that simulations can use them, too."""

import math
from collections.abc import Callable
from dataclasses import dataclass

_SPIKE_BASE = 0.1
"""Of the users, before and after the spike."""
_SPIKE = (0.4, 0.6)
"""When the spike begins and ends, in parts of the duration."""
_SOAK_RAMP = 0.05
"""In this part of the duration a soak's users arrive."""


def _steady(_: float, users: int) -> int:
    return users


def _ramp(progress: float, users: int) -> int:
    return max(1, math.ceil(progress * users))


def _spike(progress: float, users: int) -> int:
    return users if _SPIKE[0] <= progress < _SPIKE[1] else max(1, round(users * _SPIKE_BASE))


def _soak(progress: float, users: int) -> int:
    return max(1, math.ceil(min(1.0, progress / _SOAK_RAMP) * users))


@dataclass(frozen=True)
class Shape:
    """`default_s` is its duration where none is given."""

    name: str
    words: str
    default_s: float
    _users_at: Callable[[float, int], int]

    def users_at(self, elapsed_s: float, duration_s: float, users: int) -> int | None:
        """How many users there are then, `users` at most; None once the duration is over."""
        if elapsed_s >= duration_s:
            return None
        return self._users_at(elapsed_s / duration_s, users)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("steady", "all users from the beginning to the end", 60, _steady),
        Shape("ramp", "one user at first, all of them at the end", 120, _ramp),
        Shape("spike", "a tenth of the users, and all of them from 40 % to 60 % of the time", 120, _spike),
        Shape("soak", "all users for long, to see what grows", 1800, _soak),
    )
}
