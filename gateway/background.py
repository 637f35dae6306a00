"""Work that outlives the request that started it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

Result = TypeVar("Result")

log = structlog.get_logger()


class Background:
    """Tasks that nobody awaits. The event loop holds tasks weakly, so this holds them strongly."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Result], name: str, *, is_awaited: bool = False) -> asyncio.Task[Result]:
        """Run `work` to its end, whatever becomes of the caller; a failure that nobody awaits goes to the log."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not is_awaited:
            task.add_done_callback(_log_failure)
        return task

    async def drain(self, timeout_s: float) -> None:
        """Wait until all work is done; what is left after `timeout_s` is cancelled."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
            for task in late:
                task.cancel()


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.warning("background_work_failed", work=task.get_name(), error=str(error))
