"""What one API makes of a job's events: bytes for a stream, or one document."""

from collections.abc import Sequence
from typing import Protocol

from gateway.follow import Ended
from shared.errors import DroverError
from shared.events import TokensEvent


class StreamSurface(Protocol):
    """Tells one job to one caller as it goes, in whole SSE frames; b"" where there is nothing to say yet.

    Made with the place up to which the caller knows the stream: frames up to there are left out. One that
    `needs_all` gets the tokens from the first one on all the same, because what it writes depends on what came before.
    """

    @property
    def needs_all(self) -> bool: ...

    def opening(self) -> bytes:
        """What comes before any token."""

    def tokens(self, events: Sequence[TokensEvent]) -> bytes:
        """The next tokens, in order."""

    def closing(self, ended: Ended) -> bytes:
        """The end of a job that has no error."""

    def failed(self, error: DroverError) -> bytes:
        """The end of a stream that goes wrong: of its job, or of the way to it."""


class WholeSurface(Protocol):
    """Collects one job for a caller who does not stream."""

    def add(self, events: Sequence[TokensEvent]) -> None:
        """The next tokens, in order."""

    def answer(self, ended: Ended) -> bytes:
        """The body of the answer, when all has been added and the job has no error."""
