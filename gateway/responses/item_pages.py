"""A page of items: as many messages as make one are read, and cut where the page begins and ends."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from gateway.responses.identifiers import message_id_of
from gateway.responses.shown_items import items_of
from shared.bodies.stored_messages import StoredMessageListBody
from shared.errors import NotFoundError

MessagePage = Callable[[dict[str, str]], Awaitable[StoredMessageListBody]]
"""Reads messages: takes limit, order, after and inclusive."""


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Which items are wanted; `after` is an item's id."""

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None


async def listed(page: ItemPage, read: MessagePage) -> dict[str, Any]:
    """OpenAI's list. Raises NotFoundError for a cursor that is not in it."""
    params = {"limit": str(page.limit + 1), "order": page.order}
    if page.after is not None:
        message_id = message_id_of(page.after)
        if message_id is None:
            raise _no_cursor()
        # The cursor's message may hold more items, on either side of it.
        params |= {"after": message_id, "inclusive": "true"}
    found = await read(params)
    items: list[dict[str, Any]] = []
    for message in found.data:
        items += items_of(message) if page.order == "asc" else reversed(items_of(message))
    if page.after is not None:
        items = items[_place_of(page.after, items) + 1 :]
    data = items[: page.limit]
    return item_list(data, has_more=found.has_more or len(items) > page.limit)


def item_list(data: list[dict[str, Any]], *, has_more: bool = False) -> dict[str, Any]:
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }


def _place_of(item_id: str, items: list[dict[str, Any]]) -> int:
    places = [index for index, item in enumerate(items) if item["id"] == item_id]
    if not places:
        raise _no_cursor()
    return places[0]


def _no_cursor() -> NotFoundError:
    return NotFoundError("'after' names nothing in this list; it may have been deleted since.", param="after")
