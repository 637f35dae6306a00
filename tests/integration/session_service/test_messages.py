"""The messages of a session: returned as they came, in pages, added and deleted."""

from typing import Any

import httpx
import pytest

from tests.integration.session_service.caller import MODEL, ROOMY, Rows, Turns

CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"in": "Rome"}'}},
    {"id": "call_2", "type": "function", "function": {"name": "time", "arguments": "not even JSON"}},
]
PARTS = [{"type": "text", "text": "Weather "}, {"type": "text", "text": "in Rome?"}]


def path(turns: Turns) -> str:
    return f"/internal/sessions/{turns.session_id}/messages"


async def listed(turns: Turns, **params: Any) -> dict[str, Any]:
    answer = await turns.http.get(path(turns), params=params, headers=turns.headers)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def appended(turns: Turns, *messages: dict[str, Any]) -> httpx.Response:
    return await turns.http.post(path(turns), json={"messages": list(messages)}, headers=turns.headers)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


@pytest.fixture
async def ten(turns: Turns) -> list[str]:
    """The ids of ten messages."""
    answer = await appended(turns, *(user(str(number)) for number in range(10)))
    return [message["id"] for message in answer.json()["data"]]


def ids(page: dict[str, Any]) -> list[str]:
    return [message["id"] for message in page["data"]]


async def test_tool_messages_and_parts_are_stored_and_returned_unchanged(turns: Turns) -> None:
    messages = [
        {"role": "user", "content": "Weather in Rome?", "name": "ada", "parts": PARTS},
        {"role": "assistant", "content": "", "tool_calls": CALLS},
        {"role": "tool", "content": "Sunny", "tool_call_id": "call_1"},
        {"role": "tool", "content": "Noon", "tool_call_id": "call_2"},
    ]
    answer = await turns.begin(model=ROOMY, messages=messages)
    assert answer.status_code == 200, answer.text
    turn_id = answer.json()["turn_id"]
    await turns.accept(turn_id, session_id=turns.session_id)
    await turns.end_job(turn_id)

    stored = (await listed(turns))["data"]

    assert [message["content"] for message in stored] == [PARTS, None, "Sunny", "Noon", "Hello"]
    assert [message["tool_calls"] for message in stored] == [None, CALLS, None, None, None]
    assert [message["tool_call_id"] for message in stored] == [None, None, "call_1", "call_2", None]
    assert stored[0]["name"] == "ada"


async def test_a_reply_tells_of_its_turn(turns: Turns) -> None:
    await turns.run()

    first, reply = (await listed(turns))["data"]

    assert (first["model"], first["usage"], first["truncation"]) == (None, None, None)
    assert (reply["model"], reply["finish_reason"]) == (MODEL, "stop")
    assert reply["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "cached_tokens": 3}
    assert reply["truncation"] == {"dropped_messages": 0, "dropped_tokens": 0}


async def test_pages_go_forward_and_backward_in_either_order(turns: Turns, ten: list[str]) -> None:
    assert ids(await listed(turns, limit=3)) == ten[:3]
    assert ids(await listed(turns, limit=3, after=ten[4])) == ten[5:8]
    assert ids(await listed(turns, limit=3, before=ten[4])) == ten[1:4]
    assert ids(await listed(turns, limit=3, order="desc")) == ten[:-4:-1]
    assert ids(await listed(turns, limit=3, order="desc", after=ten[4])) == [ten[3], ten[2], ten[1]]
    assert ids(await listed(turns, limit=3, order="desc", before=ten[4])) == [ten[7], ten[6], ten[5]]
    assert ids(await listed(turns, after=ten[2], before=ten[5])) == ten[3:5]


async def test_a_page_says_whether_there_are_more_in_its_direction(turns: Turns, ten: list[str]) -> None:
    assert (await listed(turns, limit=3, before=ten[3]))["has_more"] is False
    assert (await listed(turns, limit=3, before=ten[4]))["has_more"] is True
    assert (await listed(turns, limit=3, after=ten[6]))["has_more"] is False
    assert (await listed(turns, limit=3, after=ten[5]))["has_more"] is True


async def test_a_cursor_may_be_part_of_its_page(turns: Turns, ten: list[str]) -> None:
    assert ids(await listed(turns, limit=3, after=ten[4], inclusive=True)) == ten[4:7]
    assert ids(await listed(turns, limit=3, order="desc", after=ten[4], inclusive=True)) == ten[4:1:-1]
    assert ids(await listed(turns, limit=3, before=ten[4], inclusive=True)) == ten[2:5]


async def test_a_replys_id_is_its_turns_so_that_a_stream_knows_it_before(turns: Turns) -> None:
    turn_id = await turns.run()

    assert (await turns.read(turn_id))["output"]["id"] == f"msg_{turn_id}"
    assert (await listed(turns))["data"][-1]["id"] == f"msg_{turn_id}"


@pytest.mark.parametrize("cursor", ["after", "before"])
async def test_a_cursor_that_was_deleted_is_not_taken_for_the_lists_end(
    turns: Turns, ten: list[str], cursor: str
) -> None:
    await turns.http.delete(f"{path(turns)}/{ten[4]}", headers=turns.headers)

    answer = await turns.http.get(path(turns), params={cursor: ten[4]}, headers=turns.headers)

    assert (answer.status_code, answer.json()["error"]["param"]) == (404, cursor)


async def test_walking_all_pages_gives_every_message_once(turns: Turns, ten: list[str]) -> None:
    walked: list[str] = []
    page = await listed(turns, limit=3)
    while True:
        walked += ids(page)
        if not page["has_more"]:
            break
        page = await listed(turns, limit=3, after=page["last_id"])

    assert walked == ten


async def test_added_messages_are_part_of_the_next_prompt_and_are_counted_then(turns: Turns, rows: Rows) -> None:
    await appended(turns, user("My name is Ada."), {"role": "assistant", "content": "Hello Ada."})

    begun = (await turns.begin("What is my name?")).json()

    contents = [message["content"] for message in begun["messages"]]
    assert contents == ["My name is Ada.", "Hello Ada.", "What is my name?"]
    assert rows.all("SELECT count(*) FROM messages WHERE tokens = 0") == [(0,)]


async def test_a_session_opens_with_the_messages_that_it_is_given(turns: Turns) -> None:
    body = {"system": "Be brief.", "messages": [user("One"), {"role": "assistant", "content": "1"}]}
    made = (await turns.http.post("/internal/sessions", json=body, headers=turns.headers)).json()

    begun = (await turns.begin("Two", session_id=made["id"])).json()

    assert made["message_count"] == 3
    assert [message["content"] for message in begun["messages"]] == ["Be brief.", "One", "1", "Two"]


async def test_a_message_is_read_and_deleted(turns: Turns, ten: list[str]) -> None:
    one = f"{path(turns)}/{ten[3]}"

    read = (await turns.http.get(one, headers=turns.headers)).json()
    deleted = (await turns.http.delete(one, headers=turns.headers)).json()

    assert read["content"] == "3"
    assert deleted == {"id": ten[3], "object": "session.message.deleted", "deleted": True}
    assert (await turns.http.get(one, headers=turns.headers)).status_code == 404
    assert ids(await listed(turns)) == ten[:3] + ten[4:]


async def test_nothing_is_added_or_deleted_while_a_turn_is_in_progress(turns: Turns, ten: list[str]) -> None:
    await turns.begin("Hello")

    added = await appended(turns, user("Me too"))
    deleted = await turns.http.delete(f"{path(turns)}/{ten[0]}", headers=turns.headers)

    assert added.status_code == deleted.status_code == 409
    assert added.json()["error"]["code"] == "turn_in_progress"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_another_tenants_message_looks_like_a_missing_one(
    turns: Turns, ten: list[str], stranger: str, method: str
) -> None:
    theirs = {"X-Drover-Tenant": stranger}
    made = await turns.http.post("/internal/sessions", json={}, headers=theirs)
    own = f"/internal/sessions/{made.json()['id']}/messages"

    foreign = await turns.http.request(method, f"{own}/{ten[0]}", headers=theirs)
    missing = await turns.http.request(method, f"{own}/msg_of_nobody", headers=theirs)

    assert (foreign.status_code, foreign.content) == (missing.status_code, missing.content)
    assert foreign.status_code == 404
    assert ids(await listed(turns)) == ten
