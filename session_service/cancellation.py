"""Whether the running task has been told to end.

On Python 3.11 asyncio.wait_for, which redis-py calls for every command, can swallow a cancellation that arrives just as
it completes. A loop that only waits for CancelledError would then go on for ever; it asks here as well.
"""

import asyncio


def is_cancelled() -> bool:
    """True once somebody has called cancel() on the current task, even if no exception arrived."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
