"""A loop notices its cancellation even when the exception was swallowed."""

import asyncio
from contextlib import suppress

from session_service.cancellation import is_cancelled


async def test_a_swallowed_cancellation_is_noticed() -> None:
    started = asyncio.Event()

    async def loop_that_swallows() -> str:
        assert not is_cancelled()
        while not is_cancelled():
            started.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
        return "ended"

    task = asyncio.create_task(loop_that_swallows())
    await started.wait()
    task.cancel()

    assert await asyncio.wait_for(task, 10) == "ended"
