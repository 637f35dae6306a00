"""Pages of a list: a cursor on either side, in either order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import ColumnElement, Select

from session_service.database import Transaction

Entry = TypeVar("Entry")
Order = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: what follows `after`, or else what comes right before `before`."""

    limit: int
    order: Order
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[Entry]):
    """The entries of a page in the list's order. `has_more`: there are others in the direction of paging."""

    entries: Sequence[Entry]
    has_more: bool


async def paged(
    tx: Transaction,
    statement: Select[*tuple[Any, ...]],
    page: Page,
    *,
    key: ColumnElement[Any],
    after: ColumnElement[Any] | str | None,
    before: ColumnElement[Any] | str | None,
) -> Found[Any]:
    """The rows of `statement` on the page; `after` and `before` are the values of `key` at the cursors."""
    is_ascending = page.order == "asc"
    is_backwards = page.before is not None and page.after is None
    if page.after is not None:
        statement = statement.where(key > after if is_ascending else key < after)
    if page.before is not None:
        statement = statement.where(key < before if is_ascending else key > before)
    statement = statement.order_by(key.asc() if is_ascending != is_backwards else key.desc())
    rows = list(await tx.execute(statement.limit(page.limit + 1)))
    entries = rows[: page.limit]
    return Found(entries[::-1] if is_backwards else entries, len(rows) > page.limit)
