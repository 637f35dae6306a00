"""What a stream says while no tokens come: its place in the queue, how far its model is loaded, or just `ping`."""

import asyncio

from gateway.jobs import Jobs
from shared.errors import UnavailableError

PING = ": ping\n"
"""No comment has an empty line behind it: after an event with an id OpenAI's Python client takes that line for the end
of another event, and its missing data for broken JSON."""

SILENCE_S = 0.1
"""A shorter silence is none: a first token that comes at once shall not wait behind the question why it does not."""


class Heartbeat:
    """One stream's SSE comments: when they change, and after `interval_s` without anything else."""

    def __init__(self, jobs: Jobs, job_id: str, tenant_id: str, model: str, *, interval_s: float):
        self._jobs = jobs
        self._job_id = job_id
        self._tenant_id = tenant_id
        self._model = model
        self._interval_s = interval_s
        self._clock = asyncio.get_running_loop().time
        self._said = ""
        self._said_at = self._flowed_at = self._clock()

    def flowed(self) -> None:
        """Tokens were sent."""
        self._said_at = self._flowed_at = self._clock()

    async def comment(self) -> bytes:
        """What is to be said after a silence; b"" when it is too early to say the same again.

        Raises JobNotFoundError, JobExpiredError.
        """
        if self._clock() - self._flowed_at < SILENCE_S:
            return b""
        said = await self._standing()
        now = self._clock()
        if (not said or said == self._said) and now - self._said_at < self._interval_s:
            return b""
        self._said, self._said_at = said, now
        return (said or PING).encode()

    async def _standing(self) -> str:
        try:
            waiting = await self._jobs.waiting(self._job_id, self._tenant_id)
        except UnavailableError:
            return ""
        lines = ""
        if waiting.position is not None:
            lines += f": queue position {waiting.position + 1}\n"
        if waiting.load_progress is not None:
            lines += f": loading {self._model} {waiting.load_progress * 100:.0f} %\n"
        return lines
