"""Forks: the history up to a message, in a session of its own."""

from typing import Any

import httpx
import pytest

from tests.integration.session_service.caller import Rows, Turns


async def fork(turns: Turns, message_id: str, **fields: Any) -> httpx.Response:
    return await turns.http.post(
        f"/internal/sessions/{turns.session_id}/fork",
        json={"message_id": message_id, **fields},
        headers=turns.headers,
    )


async def messages_of(turns: Turns, session_id: str) -> list[dict[str, Any]]:
    answer = await turns.http.get(f"/internal/sessions/{session_id}/messages", headers=turns.headers)
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


@pytest.fixture
async def talk(turns: Turns, running: None) -> list[dict[str, Any]]:
    """The messages of two turns."""
    for text in ("One", "Two"):
        await turns.wait_until_stored(await turns.run(text))
    return await turns.messages()


async def test_a_fork_has_the_history_up_to_and_including_the_message(turns: Turns, talk: list[dict[str, Any]]) -> None:
    made = (await fork(turns, talk[1]["id"])).json()

    copied = await messages_of(turns, made["id"])
    assert [(message["role"], message["content"]) for message in copied] == [("user", "One"), ("assistant", "Hello")]
    assert made["forked_from"] == {"session_id": turns.session_id, "message_id": talk[1]["id"]}
    assert [message["finish_reason"] for message in copied] == [None, "stop"]
    assert [message["created_at"] for message in copied] == [message["created_at"] for message in talk[:2]]
    assert not {message["id"] for message in copied} & {message["id"] for message in talk}


async def test_a_turn_in_a_fork_sees_the_copied_history_and_changes_only_the_fork(
    turns: Turns, talk: list[dict[str, Any]]
) -> None:
    made = (await fork(turns, talk[1]["id"])).json()

    begun = (await turns.begin("Three", session_id=made["id"])).json()

    assert [message["content"] for message in begun["messages"]] == ["One", "Hello", "Three"]
    assert await turns.messages() == talk


async def test_a_message_is_edited_by_a_fork_before_it_and_a_new_turn(turns: Turns, talk: list[dict[str, Any]]) -> None:
    made = (await fork(turns, talk[2]["id"], inclusive=False)).json()

    begun = (await turns.begin("Two, put differently", session_id=made["id"])).json()

    assert [message["content"] for message in begun["messages"]] == ["One", "Hello", "Two, put differently"]


async def test_the_first_message_can_be_edited_too(turns: Turns, talk: list[dict[str, Any]]) -> None:
    made = (await fork(turns, talk[0]["id"], inclusive=False)).json()

    assert made["message_count"] == 0
    assert made["forked_from"]["message_id"] == talk[0]["id"]


async def test_a_fork_between_a_message_and_its_reply_goes_on_from_the_message(
    turns: Turns, talk: list[dict[str, Any]]
) -> None:
    made = (await fork(turns, talk[2]["id"])).json()

    copied = await messages_of(turns, made["id"])
    begun = (await turns.begin("Say it again", session_id=made["id"])).json()
    assert [message["status"] for message in copied] == ["completed"] * 3
    assert [message["content"] for message in begun["messages"]] == ["One", "Hello", "Two", "Say it again"]


async def test_a_reply_that_was_cut_short_belongs_to_the_prompts_of_a_fork_at_it(turns: Turns, running: None) -> None:
    await turns.wait_until_stored(await turns.run("One", reply=["Half of"], reason="cancelled"))
    cut = (await turns.messages())[-1]

    made = (await fork(turns, cut["id"])).json()

    begun = (await turns.begin("Go on", session_id=made["id"])).json()
    assert [message["content"] for message in begun["messages"]] == ["One", "Half of", "Go on"]
    assert (await messages_of(turns, made["id"]))[1]["finish_reason"] == "cancelled"


async def test_a_fork_of_a_fork_is_possible_and_system_messages_come_along(turns: Turns, running: None) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "One"}]
    turn_id = (await turns.begin(messages=messages)).json()["turn_id"]
    await turns.accept(turn_id, session_id=turns.session_id)
    await turns.end_job(turn_id)
    await turns.wait_until_stored(turn_id)
    first = (await fork(turns, (await turns.messages())[-1]["id"])).json()
    last = (await messages_of(turns, first["id"]))[-1]

    second = await turns.http.post(
        f"/internal/sessions/{first['id']}/fork", json={"message_id": last["id"]}, headers=turns.headers
    )

    copied = await messages_of(turns, second.json()["id"])
    assert [message["role"] for message in copied] == ["system", "user", "assistant"]
    assert second.json()["forked_from"]["session_id"] == first["id"]


async def test_title_and_metadata_are_the_originals_unless_they_are_given(
    turns: Turns, talk: list[dict[str, Any]]
) -> None:
    path = f"/internal/sessions/{turns.session_id}"
    await turns.http.patch(path, json={"title": "A talk", "metadata": {"for": "tests"}}, headers=turns.headers)

    same = (await fork(turns, talk[0]["id"])).json()
    other = (await fork(turns, talk[0]["id"], title="Another", metadata={})).json()

    assert (same["title"], same["metadata"]) == ("A talk", {"for": "tests"})
    assert (other["title"], other["metadata"]) == ("Another", {})


async def test_a_fork_costs_nothing_and_outlives_the_original(turns: Turns, talk: list[dict[str, Any]]) -> None:
    made = (await fork(turns, talk[3]["id"])).json()

    await turns.http.delete(f"/internal/sessions/{turns.session_id}", headers=turns.headers)

    read = (await turns.http.get(f"/internal/sessions/{made['id']}", headers=turns.headers)).json()
    assert (read["message_count"], read["usage"]["turns"]) == (4, 0)
    assert read["forked_from"]["session_id"] == turns.session_id


async def test_a_message_of_a_turn_in_progress_cannot_be_forked_from(turns: Turns, rows: Rows) -> None:
    await turns.begin("One")
    pending = (await turns.messages())[0]["id"]

    answer = await fork(turns, pending)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "turn_in_progress")
    assert rows.all("SELECT count(*) FROM sessions") == [(1,)]


async def test_what_came_before_a_turn_in_progress_can_be_forked_from(turns: Turns, talk: list[dict[str, Any]]) -> None:
    await turns.begin("Three")

    made = (await fork(turns, talk[3]["id"])).json()

    assert made["message_count"] == 4


async def test_another_tenants_message_and_session_look_like_missing_ones(
    turns: Turns, talk: list[dict[str, Any]], stranger: str
) -> None:
    missing = await fork(turns, "msg_of_nobody")
    foreign = await turns.http.post(
        f"/internal/sessions/{turns.session_id}/fork",
        json={"message_id": talk[0]["id"]},
        headers={"X-Drover-Tenant": stranger},
    )

    assert (missing.status_code, missing.json()["error"]["param"]) == (404, "message_id")
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (404, "session_not_found")
