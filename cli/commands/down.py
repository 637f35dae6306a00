"""`drover down`: stops the stack of a state directory."""

import signal
import time
from typing import Annotated

import typer

from cli.options import DEFAULT_STATE_DIR, StateDirOption
from cli.stack.errors import StackError
from cli.stack.record import Record, end_leftovers, wait_for_end
from cli.stack.state_dir import StateDir
from cli.terminal import errors_as_sentences, say


def down(
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds until what still runs is killed.")] = 90,
) -> None:
    """Stop the stack: workers finish what they can, then every process ends. Its data and keys stay."""
    state = StateDir(state_dir)
    if not state.path.is_dir():
        say(f"no stack runs in {state.path}")
        return
    begun = time.monotonic()
    with errors_as_sentences():
        was_running = state.is_locked()
        if was_running:
            _stop_supervisor(state, timeout)
        ended = end_leftovers(state.record_file)
        state.stack_file.unlink(missing_ok=True)
    if was_running:
        say(f"the stack is down ({time.monotonic() - begun:.1f} s)")
    elif ended:
        say(f"{ended} processes of a stack that crashed were ended")
    else:
        say(f"no stack runs in {state.path}")


def _stop_supervisor(state: StateDir, timeout_s: float) -> None:
    """SIGTERM, and SIGKILL when it is still there after `timeout_s`. Raises StackError."""
    record = Record.read(state.record_file)
    if record is None:
        raise StackError(f"The stack in {state.path} is just starting or stopping: try again in a few seconds.")
    record.supervisor.send(signal.SIGTERM)
    if not wait_for_end([record.supervisor], timeout_s):
        record.supervisor.send(signal.SIGKILL)
        wait_for_end([record.supervisor], 5)
