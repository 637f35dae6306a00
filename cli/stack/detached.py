"""A stack whose supervisor runs in the background, in a session of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from cli.settings import CliSettings
from cli.stack.assembly import StackOptions
from cli.stack.description import StackDescription
from cli.stack.errors import StackError, StackRunsError
from cli.stack.launcher import Launcher
from cli.stack.state_dir import StateDir
from shared.settings import ConfigurationError


def start_detached(options: StackOptions, pass_on: Callable[[str], None]) -> StackDescription:
    """Start a supervisor in the background; returns when the stack is up. `pass_on` gets its words as they come.

    Raises StackRunsError, and StackError when the stack did not come up (its words have said why).
    """
    state = StateDir(options.state_dir)
    state.create()
    if state.is_locked():
        raise StackRunsError(f"A stack already runs in {state.path}; `drover down` stops it.")
    state.stack_file.unlink(missing_ok=True)
    log = state.log("supervisor")
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "cli.stack.detached", _encode(options)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _wait_until_up(supervisor, log, state, pass_on)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise


def _wait_until_up(
    supervisor: subprocess.Popen[bytes], log: Path, state: StateDir, pass_on: Callable[[str], None]
) -> StackDescription:
    with log.open(encoding="utf-8") as words:
        while True:
            has_ended, described = supervisor.poll() is not None, StackDescription.read(state.stack_file)
            pass_on(words.read())
            if has_ended:
                raise StackError(f"The stack did not come up; its logs lie in {log.parent}.")
            if described is not None:
                return described
            time.sleep(0.05)


def _encode(options: StackOptions) -> str:
    return json.dumps({**asdict(options), "state_dir": str(options.state_dir.resolve())})


def _supervise(encoded: str) -> None:
    """The background process. Its words go to the log and never hold a key."""
    fields = json.loads(encoded)
    options = StackOptions(**{**fields, "state_dir": Path(fields["state_dir"])})
    try:
        Launcher(options, CliSettings.load(), _say).run(when_ready=lambda _stack: None)
    except (StackError, ConfigurationError) as error:
        _say(str(error))
        sys.exit(1)


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


if __name__ == "__main__":
    _supervise(sys.argv[1])
