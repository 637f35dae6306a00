"""Where the lines that were typed into `drover chat` are kept: below XDG_STATE_HOME, for their owner alone."""

import os
from pathlib import Path

from cli.settings import CliSettings


def history_file(settings: CliSettings) -> Path | None:
    """The file, made if it is not there; None where no such file can be kept."""
    try:
        given = Path(settings.xdg_state_home)
        state = given if given.is_absolute() else Path.home() / ".local" / "state"  # as the XDG specification has it
        path = state / "drover" / "chat_history"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)
        os.close(descriptor)
    except (OSError, RuntimeError):  # Path.home() raises the latter where nobody has a home
        return None
    return path
