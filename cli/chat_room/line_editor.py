"""The line that a person types: editing, history, several lines in one message."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.filters import is_searching
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

PROMPT = "> "
CONTINUED = "… "


class LineEditor:
    """Reads one message after the other from the terminal."""

    def __init__(self, history: Path | None, commands: Sequence[str]):
        kept: History = FileHistory(str(history)) if history else InMemoryHistory()
        self._session: PromptSession[str] = PromptSession(
            history=kept,
            completer=WordCompleter(list(commands), sentence=True),
            complete_while_typing=False,
            multiline=True,
            prompt_continuation=CONTINUED,
            key_bindings=_bindings(),
            enable_open_in_editor=True,
        )

    def read(self, default: str = "") -> str:
        """The next message. Raises EOFError for Ctrl-D on an empty line, KeyboardInterrupt for Ctrl-C."""
        with _late_interrupts_dropped():
            return self._session.prompt(PROMPT, default=default)


@contextmanager
def _late_interrupts_dropped() -> Iterator[None]:
    """A Ctrl-C that was meant for an answer and comes just after its end must not fall into the editor's start.

    Here Ctrl-C is a key; the editor itself sees to signals that come from elsewhere.
    """
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _bindings() -> KeyBindings:
    """Enter sends; Alt-Enter, and Enter after a backslash, begin another line."""
    bindings = KeyBindings()

    @bindings.add("enter", filter=~is_searching)
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.current_line_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.newline(copy_margin=False)
        else:
            buffer.validate_and_handle()

    @bindings.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    return bindings
