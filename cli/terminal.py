"""How the commands speak: plain lines where nobody watches, a little colour on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from cli.model_store.errors import ModelStoreError
from cli.stack.errors import StackError
from shared.settings import ConfigurationError

console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def say(line: str) -> None:
    """One line of progress."""
    console.print(f"  {line}")


def write(text: str) -> None:
    """Text exactly as it is, shown at once; colours are left out where nobody watches."""
    typer.echo(text, nl=False)


def fail(sentence: str) -> typer.Exit:
    """Say what went wrong; raise the answer."""
    errors.print(sentence, style="red")
    return typer.Exit(1)


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """What the person at the terminal can mend ends the command with one sentence and exit status 1."""
    try:
        yield
    except (StackError, ModelStoreError, ConfigurationError) as error:
        raise fail(str(error)) from error
