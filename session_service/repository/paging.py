"""Pages of a list: a cursor on either side, in either order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import ColumnElement, Select, select

from session_service.database import Transaction
from shared.errors import NotFoundError

Entry = TypeVar("Entry")
Order = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: what follows `after`, or else what comes right before `before`.

    `is_inclusive`: the entry at the cursor comes too.
    """

    limit: int
    order: Order
    after: str | None = None
    before: str | None = None
    is_inclusive: bool = False


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
    """The rows of `statement` on the page; `after` and `before` are the values of `key` at the cursors.

    Raises NotFoundError for a cursor that leads nowhere: an empty page would look like the list's end.
    """
    is_ascending = page.order == "asc"
    is_backwards = page.before is not None and page.after is None
    if page.after is not None:
        statement = statement.where(_behind(key, after, is_greater=is_ascending, page=page))
    if page.before is not None:
        statement = statement.where(_behind(key, before, is_greater=not is_ascending, page=page))
    statement = statement.order_by(key.asc() if is_ascending != is_backwards else key.desc())
    rows = list(await tx.execute(statement.limit(page.limit + 1)))
    if not rows:
        await _require_cursor(tx, "after", after)
        await _require_cursor(tx, "before", before)
    entries = rows[: page.limit]
    return Found(entries[::-1] if is_backwards else entries, len(rows) > page.limit)


def _behind(
    key: ColumnElement[Any], cursor: ColumnElement[Any] | str | None, *, is_greater: bool, page: Page
) -> ColumnElement[bool]:
    if page.is_inclusive:
        return key >= cursor if is_greater else key <= cursor
    return key > cursor if is_greater else key < cursor


async def _require_cursor(tx: Transaction, name: str, cursor: ColumnElement[Any] | str | None) -> None:
    if isinstance(cursor, ColumnElement) and await tx.scalar(select(cursor)) is None:
        raise NotFoundError(f"'{name}' names nothing in this list; it may have been deleted since.", param=name)
