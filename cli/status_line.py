"""One line at the bottom of a terminal that says what is waited for, and goes without a trace."""

import os

from cli.terminal import errors, printable

_CLEARED = "\r\x1b[2K"


class StatusLine:
    """Written to standard error, and only if that is a terminal which can take a line back."""

    def __init__(self) -> None:
        self._is_shown = False
        self._can_show = errors.is_terminal and not errors.is_dumb_terminal

    def show(self, words: str) -> None:
        """Put `words` in place of what stands there; '' takes it away."""
        if not self._can_show or not (words or self._is_shown):
            return
        width = _columns() - 1
        self._is_shown = bool(words)
        errors.file.write(_CLEARED + (printable(f"[{words}]")[:width] if words else ""))
        errors.file.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(errors.file.fileno()).columns or 80
    except OSError:
        return 80
