"""Seeds that depend on the place of a token alone, so that a continued answer draws what it would have drawn."""

import secrets
from hashlib import blake2b

_FRACTION_BITS = 53  # what a float holds


class PositionSeeds:
    """Of one choice of one job. Without a seed of the job's own, every sampler draws differently."""

    def __init__(self, seed: int | None, choice: int):
        self.is_given = seed is not None
        self._seed = secrets.randbits(63) if seed is None else seed
        self._choice = choice

    def seed(self, seq: int, attempt: int = 0) -> int:
        """31 bits for llama.cpp; 32 bits could be its "choose one at random".

        A second draw for the same place must not know of the first: `attempt` counts from 0.
        """
        return int.from_bytes(self._digest(seq, attempt)[:4]) & 0x7FFFFFFF

    def fraction(self, seq: int, attempt: int = 0) -> float:
        """A number in [0, 1) that has nothing to do with `seed`."""
        return (int.from_bytes(self._digest(seq, attempt)[4:]) >> (64 - _FRACTION_BITS)) / (1 << _FRACTION_BITS)

    def _digest(self, seq: int, attempt: int) -> bytes:
        return blake2b(b"%d/%d/%d/%d" % (self._seed, self._choice, seq, attempt), digest_size=12).digest()
