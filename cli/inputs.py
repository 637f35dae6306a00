"""Text that comes from files and pipes."""

import os
import select
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from cli.errors import InputError
from cli.status_line import StatusLine
from cli.terminal import is_terminal

STANDARD_INPUT = "-"
SOON_S = 1.0
"""A pipe that nobody writes into would keep a command for ever, and nobody would see why."""


def read_text(name: str) -> str:
    """The whole of a file, or of standard input for '-'. Raises InputError for what cannot be read or is not UTF-8."""
    try:
        content = _standard_input() if name == STANDARD_INPUT else Path(name).read_bytes()
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}.") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = "Standard input" if name == STANDARD_INPUT else name
        raise InputError(f"{where} is not UTF-8 (byte {error.start}): `iconv -t utf-8` converts it.") from error


def piped_text() -> str:
    """What comes through a pipe or from a file on standard input; '' where that is neither."""
    if not _is_pipe_or_file(sys.stdin):
        return ""
    status = StatusLine()
    if not _comes_soon(sys.stdin):
        status.show("reading standard input; < /dev/null leaves it out")
    try:
        return read_text(STANDARD_INPUT)
    finally:
        status.show("")


def joined(parts: Sequence[str]) -> str:
    """The parts that hold something, an empty line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def lines_of(text: str, name: str) -> list[str]:
    """One text a line. Raises InputError for an empty line: what is made of the lines would not match them."""
    lines = text.splitlines() if "\r" in text else text.removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise InputError(f"Line {number} of {name} is empty: `grep .` leaves such lines out.")
    return lines


def _standard_input() -> bytes:
    return sys.stdin.buffer.read() if sys.stdin else b""


def _comes_soon(stream: TextIO) -> bool:
    try:
        return bool(select.select([stream], [], [], SOON_S)[0])
    except OSError:
        return True  # a text in memory


def _is_pipe_or_file(stream: TextIO | None) -> bool:
    if stream is None or is_terminal(stream):
        return False
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:
        return True  # no file at all, but a text in memory
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
