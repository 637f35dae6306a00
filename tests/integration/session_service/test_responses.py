"""Turns outside every conversation: what OpenAI's responses are made of."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.session_service.caller import Rows, Turns


def said(begun: httpx.Response) -> list[str]:
    assert begun.status_code == 200, begun.text
    return [message["content"] for message in begun.json()["messages"]]


async def test_the_same_request_sixteen_times_is_one_response(turns: Turns, rows: Rows) -> None:
    answers = await asyncio.gather(*(turns.respond(request_id="same") for _ in range(16)))

    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers if answer.is_error]
    assert Counter(answer.json()["is_replay"] for answer in answers) == {False: 1, True: 15}
    assert len({answer.json()["turn_id"] for answer in answers}) == 1
    assert (await turns.respond(request_id="same", body_hash="other")).status_code == 422
    assert rows.all("SELECT count(*) FROM turns") == [(1,)]


async def test_another_tenants_request_id_is_not_ours(turns: Turns, stranger: str) -> None:
    mine = (await turns.respond(request_id="same")).json()
    theirs = (await turns.respond(request_id="same", tenant_id=stranger)).json()

    assert not theirs["is_replay"]
    assert mine["turn_id"] != theirs["turn_id"]


async def test_a_response_is_read_with_its_request_its_output_and_what_it_used(turns: Turns) -> None:
    parent = await turns.responded("One", "1")
    request = {"instructions": "Be brief.", "temperature": 0.5, "tools": [{"type": "function", "name": "weather"}]}
    begun = (await turns.respond("Two", parent=parent, request=request, metadata={"for": "tests"})).json()

    pending = await turns.read(begun["turn_id"])
    await turns.accept(begun["turn_id"], session_id=begun["session_id"])
    await turns.end_job(begun["turn_id"], ["2", "!"])
    done = await turns.read(begun["turn_id"])

    assert (pending["state"], pending["output"], pending["usage"]) == ("pending", None, None)
    assert (done["state"], done["finish_reason"], done["parent_turn_id"]) == ("done", "stop", parent)
    assert (done["output"]["content"], done["output"]["role"]) == ("2!", "assistant")
    assert done["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "cached_tokens": 3}
    assert (done["request"], done["metadata"]) == (request, {"for": "tests"})
    assert done["session_id"] is None


async def test_the_inputs_of_a_response_are_listed_in_pages(turns: Turns) -> None:
    messages = [{"role": "user", "content": str(number)} for number in range(5)]
    begun = (await turns.respond(messages=messages)).json()
    await turns.accept(begun["turn_id"], session_id=begun["session_id"])
    await turns.end_job(begun["turn_id"])
    path = f"/internal/turns/{begun['turn_id']}/inputs"

    first = (await turns.http.get(path, params={"limit": 3}, headers=turns.headers)).json()
    params = {"limit": 3, "after": first["last_id"]}
    second = (await turns.http.get(path, params=params, headers=turns.headers)).json()

    assert [message["content"] for message in first["data"] + second["data"]] == ["0", "1", "2", "3", "4"]
    assert (first["has_more"], second["has_more"]) == (True, False)


async def test_a_response_that_is_not_stored_leaves_nothing(turns: Turns, rows: Rows) -> None:
    parent = await turns.responded("One", "1")
    await turns.read(parent)
    before = rows.all("SELECT (SELECT count(*) FROM turns), (SELECT count(*) FROM messages), count(*) FROM sessions")

    begun = await turns.respond("Two", parent=parent, is_stored=False)

    assert said(begun) == ["One", "1", "Two"]
    assert begun.json()["session_id"] is None
    after = rows.all("SELECT (SELECT count(*) FROM turns), (SELECT count(*) FROM messages), count(*) FROM sessions")
    assert before == after
    missing = await turns.http.get(f"/internal/turns/{begun.json()['turn_id']}", headers=turns.headers)
    assert missing.status_code == 404


async def test_a_response_in_a_conversation_is_a_turn_of_it(turns: Turns) -> None:
    begun = (await turns.begin("One", request={"model": "m"}, metadata={"for": "tests"})).json()
    busy = await turns.begin("Two")
    await turns.accept(begun["turn_id"], session_id=begun["session_id"])
    await turns.end_job(begun["turn_id"])

    read = await turns.read(begun["turn_id"])

    assert busy.status_code == 409
    assert (read["session_id"], read["request"]) == (turns.session_id, {"model": "m"})


async def test_a_response_in_a_conversation_has_its_items_in_the_order_they_came_in(turns: Turns) -> None:
    items = [
        {"role": "developer", "content": "Rhyme."},
        {"role": "user", "content": "One"},
        {"role": "system", "content": "Briefly."},
        {"role": "assistant", "content": "Well,"},
    ]
    begun = await turns.begin(messages=items, request={"model": "m"})

    assert said(begun) == ["Rhyme.", "Briefly.", "One", "Well,"]  # a prompt has its system messages first
    assert [message["content"] for message in await turns.messages()] == [item["content"] for item in items]


async def test_to_go_on_from_a_response_in_progress_is_a_409_and_from_a_missing_one_a_404(
    turns: Turns, stranger: str
) -> None:
    pending = (await turns.respond("One")).json()["turn_id"]

    busy = await turns.respond("Two", parent=pending)
    missing = await turns.respond("Two", parent=uuid4().hex)
    foreign = await turns.respond("Two", parent=pending, tenant_id=stranger)

    assert (busy.status_code, busy.json()["error"]["code"]) == (409, "turn_in_progress")
    assert missing.status_code == foreign.status_code == 404
    assert missing.content == foreign.content
    assert missing.json()["error"]["param"] == "parent_turn_id"


async def test_of_a_deleted_response_in_a_conversation_the_messages_stay(turns: Turns) -> None:
    turn_id = await turns.run()
    await turns.http.delete(f"/internal/turns/{turn_id}", headers=turns.headers)

    assert len(await turns.messages()) == 2
    assert (await turns.read(turn_id))["request"] is None


async def test_the_sessions_of_responses_are_nobodys_conversations(turns: Turns) -> None:
    own = (await turns.respond("One")).json()["session_id"]
    path = f"/internal/sessions/{own}"

    listed = (await turns.http.get("/internal/sessions", headers=turns.headers)).json()["data"]

    assert [session["id"] for session in listed] == [turns.session_id]
    for method, at in (("GET", path), ("DELETE", path), ("GET", f"{path}/messages"), ("GET", f"{path}/turns")):
        assert (await turns.http.request(method, at, headers=turns.headers)).status_code == 404
    assert (await turns.begin("Two", session_id=own)).status_code == 404


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("GET", "/inputs")])
async def test_another_tenants_turn_looks_like_a_missing_one(
    turns: Turns, stranger: str, method: str, path: str
) -> None:
    turn_id = (await turns.respond("One")).json()["turn_id"]
    headers = {"X-Drover-Tenant": stranger}

    foreign = await turns.http.request(method, f"/internal/turns/{turn_id}{path}", headers=headers)
    missing = await turns.http.request(method, f"/internal/turns/{uuid4().hex}{path}", headers=headers)

    assert (foreign.status_code, foreign.content) == (missing.status_code, missing.content) == (404, missing.content)


async def test_an_aborted_response_never_happened(turns: Turns, rows: Rows) -> None:
    begun = (await turns.respond("One", request_id="same")).json()

    await turns.http.post(f"/internal/turns/{begun['turn_id']}/abort", headers=turns.headers)

    again = (await turns.respond("One", request_id="same")).json()
    assert not again["is_replay"]
    assert rows.all("SELECT count(*) FROM sessions WHERE kind = 'response'") == [(1,)]


async def test_an_abort_in_another_tenants_name_is_a_404(turns: Turns, stranger: str) -> None:
    turn_id = (await turns.begin()).json()["turn_id"]

    foreign = await turns.http.post(f"/internal/turns/{turn_id}/abort", headers={"X-Drover-Tenant": stranger})

    assert foreign.status_code == 404
    assert (await turns.read(turn_id))["state"] == "pending"


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": []},
        {"request": {"nul": "\x00"}},
        {"metadata": {"x" * 65: "y"}},
        {"metadata": {str(number): "" for number in range(17)}},
    ],
)
async def test_what_cannot_be_a_response_is_refused(turns: Turns, rows: Rows, fields: dict[str, Any]) -> None:
    answer = await turns.respond("One", **fields)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert rows.all("SELECT count(*) FROM turns") == [(0,)]


@pytest.mark.parametrize("fields", [{"parent_turn_id": "0190"}, {"is_stored": False}])
async def test_a_turn_in_a_session_goes_on_from_its_last_and_is_stored(turns: Turns, fields: dict[str, Any]) -> None:
    assert (await turns.begin(**fields)).status_code == 400
