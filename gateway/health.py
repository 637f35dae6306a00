"""How the gateway and what it needs are doing."""

import asyncio
import os
import resource
import sys
from collections.abc import Awaitable
from pathlib import Path
from time import monotonic
from typing import Any

from gateway.jobs import Jobs
from gateway.request_record import RequestCount
from gateway.sessions_client import SessionsClient
from shared.catalogue import Catalogue
from shared.errors import DroverError, UnavailableError

OK = "ok"


class Health:
    """Answers /readyz and /health."""

    def __init__(self, jobs: Jobs, sessions: SessionsClient, catalogue: Catalogue, count: RequestCount):
        self._jobs = jobs
        self._sessions = sessions
        self._catalogue = catalogue
        self._count = count
        self._started_at = monotonic()

    async def readiness(self) -> dict[str, str]:
        """Each thing that a request needs, with "ok" or a sentence that says what is wrong."""
        redis, sessions, workers = await asyncio.gather(
            _checked(self._jobs.check()), _checked(self._sessions.check()), _checked(self._a_worker())
        )
        return {"redis": redis, "session_service": sessions, "workers": workers}

    async def report(self) -> dict[str, Any]:
        """The JSON of /health; "degraded" when no worker can be seen."""
        try:
            workers = await self._jobs.workers()
        except UnavailableError:
            workers = []
        return {
            "status": "healthy" if any(not worker.is_draining for worker in workers) else "degraded",
            "uptime_seconds": int(monotonic() - self._started_at),
            "total_requests": self._count.total,
            "memory_usage_mb": round(_memory_bytes() / 2**20),
            "workers": [worker.model_dump() for worker in workers],
            "models": [entry.name for entry in self._catalogue.all()],
        }

    async def _a_worker(self) -> None:
        if not await self._jobs.workers():
            raise UnavailableError("No worker is there; start one.")


async def _checked(check: Awaitable[None]) -> str:
    try:
        await check
    except DroverError as error:
        return error.message
    return OK


def _memory_bytes() -> int:
    """Resident memory now; its peak where there is no /proc."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
