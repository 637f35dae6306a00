"""A progress bar for bytes: on a terminal it moves, elsewhere nothing is written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from cli.terminal import errors


@contextmanager
def progress_bar(words: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Lends a function that hears how many bytes are done. The bar appears with the first of them and then goes."""
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
    task = bar.add_task(words, total=total_bytes)
    is_shown = False

    def show(done_bytes: int) -> None:
        nonlocal is_shown
        if not is_shown:
            is_shown = True
            bar.start()
        bar.update(task, completed=done_bytes)

    try:
        yield show
    finally:
        bar.stop()
