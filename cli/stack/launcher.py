"""One run of a stack in this process: alone in its state directory, up, watched, down."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from cli.settings import CliSettings
from cli.stack.assembly import Assembly, StackOptions
from cli.stack.description import ProcessDescription, StackDescription
from cli.stack.errors import StopRequestedError
from cli.stack.files import replace_private
from cli.stack.process import Child
from cli.stack.record import Identity, Record, end_leftovers
from cli.stack.state_dir import StateDir
from cli.stack.stop_signals import StopSignals
from cli.stack.supervisor import Supervisor


class Launcher:
    """`say` gets the lines for the terminal. Use it from the main thread."""

    def __init__(self, options: StackOptions, settings: CliSettings, say: Callable[[str], None]):
        self._say = say
        self._state = StateDir(options.state_dir)
        self._signals = StopSignals()
        self._supervisor = Supervisor(say, self._remember, self._signals.stopping, hung_after_s=options.hung_after_s)
        self._assembly = Assembly(options, settings, self._state, self._supervisor, say)
        self._description: StackDescription | None = None

    @property
    def request_stop(self) -> threading.Event:
        """Setting it ends `run`, from any thread."""
        return self._signals.stopping

    def run(self, when_ready: Callable[[StackDescription], None]) -> None:
        """Up, `when_ready`, then until a signal asks to stop; down. Raises StackError, StackRunsError."""
        self._state.create()
        self._state.lock()
        with self._signals.noted():
            try:
                self._clean_up_after_a_crash()
                with suppress(StopRequestedError):
                    self._description = self._assembly.bring_up()
                    self._remember()
                    self._write_env_file(self._description)
                    when_ready(self._description)
                    self._supervisor.watch()
            finally:
                self._take_down()

    def _remember(self) -> None:
        """Write down who runs: for the next command always, for everybody once the stack is up."""
        children = self._supervisor.children
        if me := Identity.of(os.getpid()):
            Record(me, [c.identity for c in children if c.identity]).write(self._state.record_file)
        if self._description is not None:
            processes = [_described(child) for child in children]
            self._description = self._description.model_copy(update={"processes": processes})
            self._description.write(self._state.stack_file)

    def _write_env_file(self, stack: StackDescription) -> None:
        """What a shell needs to call the stack: `. .drover/env`."""
        lines = [f"export DROVER_URL={stack.url}", f"export DROVER_API_KEY={stack.api_key}"]
        replace_private(self._state.env_file, "\n".join(lines) + "\n")

    def _clean_up_after_a_crash(self) -> None:
        self._state.stack_file.unlink(missing_ok=True)
        if ended := end_leftovers(self._state.record_file):
            self._say(f"{ended} processes of a stack that crashed were ended")

    def _take_down(self) -> None:
        self._description = None
        self._state.stack_file.unlink(missing_ok=True)
        self._state.env_file.unlink(missing_ok=True)
        has_children, asked, begun = bool(self._supervisor.children), self._signals.count, time.monotonic()
        if has_children:
            self._say("stopping the stack")
        self._supervisor.stop(is_hurried=lambda: self._signals.count > asked)
        if has_children:
            self._say(f"every process has ended ({time.monotonic() - begun:.1f} s)")
        self._state.record_file.unlink(missing_ok=True)
        self._state.unlock()


def _described(child: Child) -> ProcessDescription:
    spec = child.spec
    return ProcessDescription(name=spec.name, role=spec.role, pid=child.pid, log=str(spec.log), address=spec.address)
