"""How the commands speak: plain lines where nobody watches, a little colour on a terminal, errors as one sentence."""

import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, TextIO

import typer
from rich.console import Console

from cli.client.errors import ApiError, UnreachableError
from cli.errors import InputError
from cli.exit_status import INTERRUPTED, OUTPUT_CLOSED, REFUSED, UNREACHABLE
from cli.model_store.errors import ModelStoreError
from cli.stack.errors import NoServerError, StackError
from shared.settings import ConfigurationError

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters other than tab and line feed: a model's text must not move the cursor or name the window."""


class OutputClosedError(Exception):
    """Nobody reads standard output any more."""


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        raise OutputClosedError


_WIDE = 1000
"""Of what no terminal shows: a program that reads a table wants its lines whole."""

console = _Console(
    width=None if sys.stdout and sys.stdout.isatty() else _WIDE,
    highlight=False,
    soft_wrap=True,
    markup=False,
    emoji=False,
)
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def say(line: str) -> None:
    """One line of progress."""
    console.print(f"  {line}")


def write(text: str) -> None:
    """Text at once: exactly as it is, but on a terminal without what would steer it.

    Raises OutputClosedError, and InputError where there is no room for it.
    """
    if sys.stdout is None:  # it was closed before Python started
        return
    shown = printable(text) if sys.stdout.isatty() else text
    with _output_told():
        sys.stdout.write(shown)
        sys.stdout.flush()


def write_bytes(content: bytes) -> None:
    """Content exactly as it is; on a terminal as `write` shows it, whose errors it raises."""
    if sys.stdout is None or sys.stdout.isatty():
        write(content.decode("utf-8", errors="replace"))
        return
    with _output_told():
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


@contextmanager
def _output_told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise OutputClosedError from None
    except OSError as error:
        _forget_output()
        raise InputError(f"Standard output cannot be written: {error.strerror}.") from error


def printable(text: str) -> str:
    """Without control characters; text of others that is shown on a terminal."""
    return _STEERING.sub("", text)


def is_terminal(stream: TextIO | None) -> bool:
    """Python has None for a stream that was closed before it started."""
    return stream is not None and stream.isatty()


def fail(sentence: str, status: int = REFUSED) -> typer.Exit:
    """Say what went wrong; raise the answer."""
    errors.print(sentence, style="red")
    return typer.Exit(status)


@contextmanager
def errors_as_sentences(*, is_verbose: bool = False) -> Iterator[None]:
    """What the person at the terminal can mend ends the command with one sentence and its exit status."""
    try:
        yield
    except (StackError, ModelStoreError, ConfigurationError, ApiError, InputError) as error:
        if is_verbose:
            _tell_details(error)
        raise fail(str(error), _status_of(error)) from error
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except OutputClosedError:
        _forget_output()
        raise typer.Exit(OUTPUT_CLOSED) from None


def _status_of(error: Exception) -> int:
    return UNREACHABLE if isinstance(error, UnreachableError | NoServerError) else REFUSED


def _tell_details(error: Exception) -> None:
    errors.print("".join(traceback.format_exception(error)).rstrip(), style="dim")
    if isinstance(error, ApiError):
        told = ", ".join(f"{name} {value}" for name, value in error.details.items() if value)
        errors.print(told or "no answer from a server", style="dim")


def _forget_output() -> None:
    """Python flushes standard output when it ends, and would complain about the pipe once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
