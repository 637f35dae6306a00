"""Of gateway/jobs.py: what redis-py alone would not do."""

import asyncio

import pytest

from gateway.jobs import Jobs


@pytest.mark.parametrize("turns", range(1, 9))
async def test_a_call_that_is_cancelled_ends_cancelled_whenever_that_is(redis_url: str, turns: int) -> None:
    """In Python 3.11 asyncio.wait_for, inside redis-py, loses a cancellation just as a command has gone out."""
    jobs = Jobs(redis_url, timeout_s=5, max_queued_jobs=1)
    await jobs.check()

    calling = asyncio.create_task(jobs.read_log("nothing", 0, max_events=1))
    for _ in range(turns):  # of the event loop, each a step further into the call
        await asyncio.sleep(0)
    is_in_time = not calling.done()
    calling.cancel()
    await asyncio.wait({calling})

    assert not is_in_time or calling.cancelled()
    await jobs.close()
