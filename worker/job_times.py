"""When things happened to a claimed job; its spans are made of these times."""

from dataclasses import dataclass


@dataclass(slots=True)
class JobTimes:
    """In nanoseconds since the epoch; 0 for what has not happened.

    `ended_ns`: the final event was emitted. `finishing_ns` … `finished_ns`: it was written to the ledger.
    """

    submitted_ns: int = 0
    first_token_ns: int = 0
    ended_ns: int = 0
    finishing_ns: int = 0
    finished_ns: int = 0
