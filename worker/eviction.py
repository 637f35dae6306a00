"""Which models leave the cache for another one."""

from collections.abc import Mapping, Set

from shared.errors import InsufficientMemoryError
from worker.shelf import Shelf


def check_fits(name: str, needed_bytes: int, *, budget_bytes: int, pinned_bytes: int) -> None:
    """Raises InsufficientMemoryError if the model could not be loaded even with every other one gone that may go."""
    if needed_bytes > budget_bytes - pinned_bytes:
        beside = f", of which pinned models hold {pinned_bytes:,}" if pinned_bytes else ""
        raise InsufficientMemoryError(
            f"Model '{name}' needs {needed_bytes:,} bytes, the worker's whole budget is {budget_bytes:,}{beside}."
        )


def victims(shelves: Mapping[str, Shelf], missing_bytes: int, pinned: Set[str]) -> list[str]:
    """The idle models to evict for that many bytes, retiring ones first, then in the mapping's order.

    Empty if all that may go would not be enough: then none should.
    """
    chosen: list[str] = []
    for name, shelf in sorted(shelves.items(), key=lambda item: not item[1].is_retiring):
        if missing_bytes <= 0:
            break
        if shelf.is_idle and name not in pinned:
            chosen.append(name)
            missing_bytes -= shelf.needed_bytes
    return chosen if missing_bytes <= 0 else []
