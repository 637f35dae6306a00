"""Pages of items out of pages of messages."""

from typing import Any

import pytest

from gateway.responses.item_pages import ItemPage, listed
from shared.bodies.stored_messages import StoredMessageBody, StoredMessageListBody
from shared.errors import NotFoundError


def message(number: int, calls: int) -> StoredMessageBody:
    called = [
        {"id": f"call_{index}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for index in range(calls)
    ]
    return StoredMessageBody.model_validate(
        {
            "id": f"msg_{number:032x}",
            "created_at": number,
            "turn_id": None,
            "role": "assistant",
            "content": f"Text {number}",
            "tool_calls": called or None,
            "tokens": 1,
            "finish_reason": None,
        }
    )


MESSAGES = [message(number, calls) for number, calls in enumerate([0, 2, 0, 3, 1])]


async def read(params: dict[str, str]) -> StoredMessageListBody:
    """As the session service does."""
    ordered = MESSAGES if params["order"] == "asc" else MESSAGES[::-1]
    if "after" in params:
        place = [found.id for found in ordered].index(params["after"])
        ordered = ordered[place if params["inclusive"] == "true" else place + 1 :]
    limit = int(params["limit"])
    return StoredMessageListBody(data=ordered[:limit], first_id=None, last_id=None, has_more=len(ordered) > limit)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", range(1, 13))
async def test_every_item_comes_once_and_in_order_whatever_the_pages_size(order: Any, limit: int) -> None:
    whole = (await listed(ItemPage(100, order), read))["data"]
    paged: list[dict[str, Any]] = []
    page: dict[str, Any] = {"has_more": True, "last_id": None}
    while page["has_more"]:
        page = await listed(ItemPage(limit, order, page["last_id"]), read)
        assert len(page["data"]) == limit or not page["has_more"]
        paged += page["data"]

    assert len(whole) == 11
    assert paged == whole
    assert (whole[0]["id"] == MESSAGES[0].id) == (order == "asc")


@pytest.mark.parametrize("after", ["nothing", f"fc_{1:032x}_2", f"fco_{1:032x}"])
async def test_a_cursor_that_is_no_item_leads_nowhere(after: str) -> None:
    with pytest.raises(NotFoundError):
        await listed(ItemPage(after=after), read)
