"""Turns outside every conversation: what OpenAI's responses are made of."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.session_service.caller import Rows, Turns

WEATHER = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"in": "Rome"}'},
}


async def respond(turns: Turns, *texts: str, parent: str | None = None, **fields: Any) -> httpx.Response:
    return await turns.begin(*texts, session_id=None, parent_turn_id=parent, **fields)


async def responded(turns: Turns, text: str, reply: str, parent: str | None = None) -> str:
    """A whole response up to the outbox; its id."""
    begun = (await respond(turns, text, parent=parent)).json()
    await turns.accept(begun["turn_id"], session_id=begun["session_id"])
    await turns.end_job(begun["turn_id"], [reply])
    turn_id: str = begun["turn_id"]
    return turn_id


async def turn(turns: Turns, turn_id: str) -> dict[str, Any]:
    answer = await turns.http.get(f"/internal/turns/{turn_id}", headers=turns.headers)
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


def said(begun: httpx.Response) -> list[str]:
    assert begun.status_code == 200, begun.text
    return [message["content"] for message in begun.json()["messages"]]


async def test_a_response_goes_on_from_the_one_before_it(turns: Turns) -> None:
    first = await responded(turns, "My name is Ada.", "Hello Ada.")
    second = await responded(turns, "I like green.", "Noted.", parent=first)

    begun = await respond(turns, "What do you know?", parent=second)

    assert said(begun) == ["My name is Ada.", "Hello Ada.", "I like green.", "Noted.", "What do you know?"]


async def test_a_response_may_go_on_from_any_earlier_one(turns: Turns) -> None:
    first = await responded(turns, "One", "1")
    await responded(turns, "Two", "2", parent=first)

    begun = await respond(turns, "Another two", parent=first)

    assert said(begun) == ["One", "1", "Another two"]


async def test_sixteen_responses_may_go_on_from_one_parent_at_once(turns: Turns) -> None:
    parent = await responded(turns, "One", "1")

    answers = await asyncio.gather(*(respond(turns, f"Branch {n}", parent=parent) for n in range(16)))

    assert [said(answer) for answer in answers] == [["One", "1", f"Branch {n}"] for n in range(16)]
    assert len({answer.json()["session_id"] for answer in answers}) == 16


async def test_the_same_request_sixteen_times_is_one_response(turns: Turns, rows: Rows) -> None:
    answers = await asyncio.gather(*(respond(turns, request_id="same") for _ in range(16)))

    assert Counter(answer.json()["is_replay"] for answer in answers) == {False: 1, True: 15}
    assert len({answer.json()["turn_id"] for answer in answers}) == 1
    assert (await respond(turns, request_id="same", body_hash="other")).status_code == 422
    assert rows.all("SELECT count(*) FROM turns") == [(1,)]


async def test_another_tenants_request_id_is_not_ours(turns: Turns, stranger: str) -> None:
    mine = (await respond(turns, request_id="same")).json()
    theirs = (await respond(turns, request_id="same", tenant_id=stranger)).json()

    assert not theirs["is_replay"]
    assert mine["turn_id"] != theirs["turn_id"]


async def test_a_response_is_read_with_its_request_its_output_and_what_it_used(turns: Turns) -> None:
    parent = await responded(turns, "One", "1")
    request = {"instructions": "Be brief.", "temperature": 0.5, "tools": [{"type": "function", "name": "weather"}]}
    begun = (await respond(turns, "Two", parent=parent, request=request, metadata={"for": "tests"})).json()

    pending = await turn(turns, begun["turn_id"])
    await turns.accept(begun["turn_id"], session_id=begun["session_id"])
    await turns.end_job(begun["turn_id"], ["2", "!"])
    done = await turn(turns, begun["turn_id"])

    assert (pending["state"], pending["output"], pending["usage"]) == ("pending", None, None)
    assert (done["state"], done["finish_reason"], done["parent_turn_id"]) == ("done", "stop", parent)
    assert (done["output"]["content"], done["output"]["role"]) == ("2!", "assistant")
    assert done["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "cached_tokens": 3}
    assert (done["request"], done["metadata"]) == (request, {"for": "tests"})
    assert done["session_id"] is None


async def test_the_inputs_of_a_response_are_listed_in_pages(turns: Turns) -> None:
    messages = [{"role": "user", "content": str(number)} for number in range(5)]
    begun = (await respond(turns, messages=messages)).json()
    await turns.accept(begun["turn_id"], session_id=begun["session_id"])
    await turns.end_job(begun["turn_id"])
    path = f"/internal/turns/{begun['turn_id']}/inputs"

    first = (await turns.http.get(path, params={"limit": 3}, headers=turns.headers)).json()
    params = {"limit": 3, "after": first["last_id"]}
    second = (await turns.http.get(path, params=params, headers=turns.headers)).json()

    assert [message["content"] for message in first["data"] + second["data"]] == ["0", "1", "2", "3", "4"]
    assert (first["has_more"], second["has_more"]) == (True, False)


async def test_instructions_are_for_one_prompt_alone(turns: Turns) -> None:
    begun = await respond(turns, "One", instructions="Be brief.")
    first = begun.json()
    await turns.accept(first["turn_id"], session_id=first["session_id"])
    await turns.end_job(first["turn_id"], ["1"])

    second = await respond(turns, "Two", parent=first["turn_id"], instructions="Be kind.")

    assert said(begun) == ["Be brief.", "One"]
    assert said(second) == ["Be kind.", "One", "1", "Two"]


async def test_a_response_that_is_not_stored_leaves_nothing(turns: Turns, rows: Rows) -> None:
    parent = await responded(turns, "One", "1")
    await turn(turns, parent)
    before = rows.all("SELECT (SELECT count(*) FROM turns), (SELECT count(*) FROM messages), count(*) FROM sessions")

    begun = await respond(turns, "Two", parent=parent, is_stored=False)

    assert said(begun) == ["One", "1", "Two"]
    assert begun.json()["session_id"] is None
    after = rows.all("SELECT (SELECT count(*) FROM turns), (SELECT count(*) FROM messages), count(*) FROM sessions")
    assert before == after
    missing = await turns.http.get(f"/internal/turns/{begun.json()['turn_id']}", headers=turns.headers)
    assert missing.status_code == 404


async def test_tool_calls_and_their_results_are_part_of_the_chain_and_come_back_unchanged(turns: Turns) -> None:
    messages = [
        {"role": "user", "content": "Weather?", "parts": [{"type": "text", "text": "Weath"}, {"text": "er?"}]},
        {"role": "assistant", "content": "", "tool_calls": [WEATHER]},
        {"role": "tool", "content": "Sunny", "tool_call_id": "call_1"},
    ]
    begun = (await respond(turns, messages=messages)).json()
    await turns.accept(begun["turn_id"], session_id=begun["session_id"])
    await turns.end_job(begun["turn_id"])

    path = f"/internal/turns/{begun['turn_id']}/inputs"
    stored = (await turns.http.get(path, headers=turns.headers)).json()["data"]
    child = (await respond(turns, "And now?", parent=begun["turn_id"])).json()

    assert stored[0]["content"] == [{"type": "text", "text": "Weath"}, {"type": "text", "text": "er?"}]
    assert (stored[1]["content"], stored[1]["tool_calls"]) == (None, [WEATHER])
    assert (stored[2]["content"], stored[2]["tool_call_id"]) == ("Sunny", "call_1")
    assert child["messages"][1]["tool_calls"] == [WEATHER]
    assert child["messages"][2]["tool_call_id"] == "call_1"
    assert child["messages"][0]["parts"] is None


async def test_a_long_chain_is_truncated_or_refused_as_the_caller_wants(turns: Turns) -> None:
    parent = None
    for number in range(6):
        parent = await responded(turns, f"{number} " + "word " * 8, "answer " * 4, parent=parent)

    refused = await respond(turns, "And now?", parent=parent, truncation="disabled")
    begun = (await respond(turns, "And now?", parent=parent)).json()

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert begun["truncation"]["dropped_messages"] > 0
    assert len(begun["messages"]) + begun["truncation"]["dropped_messages"] == 13
    assert (await turn(turns, begun["turn_id"]))["truncation"] == begun["truncation"]


async def test_system_messages_of_a_chain_are_kept_however_old(turns: Turns) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "One"}]
    first = (await respond(turns, messages=messages)).json()
    await turns.accept(first["turn_id"], session_id=first["session_id"])
    await turns.end_job(first["turn_id"], ["1"])
    parent = first["turn_id"]
    for number in range(12):
        parent = await responded(turns, f"{number} " + "word " * 8, "answer " * 4, parent=parent)

    begun = await respond(turns, "And now?", parent=parent)

    assert said(begun)[0] == "Be brief."
    assert begun.json()["truncation"]["dropped_messages"] > 0


async def test_a_response_goes_on_from_a_turn_of_a_conversation(turns: Turns) -> None:
    first = await turns.run("One", reply=["1"])
    await turns.run("Two", reply=["2"])

    begun = await respond(turns, "Instead of two", parent=first)

    assert said(begun) == ["One", "1", "Instead of two"]
    assert [message["content"] for message in await turns.messages()] == ["One", "1", "Two", "2"]


async def test_a_chain_from_a_conversation_has_all_that_was_there_before(turns: Turns) -> None:
    await turns.run("One", reply=["1"])
    second = await turns.run("Two", reply=["2"])
    await turns.messages()
    child = await responded(turns, "Three", "3", parent=second)

    begun = await respond(turns, "Four", parent=child)

    assert said(begun) == ["One", "1", "Two", "2", "Three", "3", "Four"]


async def test_a_response_in_a_conversation_is_a_turn_of_it(turns: Turns) -> None:
    begun = (await turns.begin("One", request={"model": "m"}, metadata={"for": "tests"})).json()
    busy = await turns.begin("Two")
    await turns.accept(begun["turn_id"], session_id=begun["session_id"])
    await turns.end_job(begun["turn_id"])

    read = await turn(turns, begun["turn_id"])

    assert busy.status_code == 409
    assert (read["session_id"], read["request"]) == (turns.session_id, {"model": "m"})


async def test_to_go_on_from_a_response_in_progress_is_a_409_and_from_a_missing_one_a_404(
    turns: Turns, stranger: str
) -> None:
    pending = (await respond(turns, "One")).json()["turn_id"]

    busy = await respond(turns, "Two", parent=pending)
    missing = await respond(turns, "Two", parent=uuid4().hex)
    foreign = await respond(turns, "Two", parent=pending, tenant_id=stranger)

    assert (busy.status_code, busy.json()["error"]["code"]) == (409, "turn_in_progress")
    assert missing.status_code == foreign.status_code == 404
    assert missing.content == foreign.content
    assert missing.json()["error"]["param"] == "parent_turn_id"


async def test_what_goes_on_from_a_deleted_response_goes_on_from_its_parent(turns: Turns, rows: Rows) -> None:
    first = await responded(turns, "One", "1")
    second = await responded(turns, "Two", "2", parent=first)
    third = await responded(turns, "Three", "3", parent=second)
    await turn(turns, second)

    deleted = await turns.http.delete(f"/internal/turns/{second}", headers=turns.headers)

    assert deleted.json() == {"id": second, "object": "session.turn.deleted", "deleted": True}
    assert said(await respond(turns, "Four", parent=third)) == ["One", "1", "Three", "3", "Four"]
    assert rows.all("SELECT count(*) FROM messages WHERE content = 'Two'") == [(0,)]
    assert (await turns.http.get(f"/internal/turns/{second}", headers=turns.headers)).status_code == 404


async def test_of_a_deleted_response_in_a_conversation_the_messages_stay(turns: Turns) -> None:
    turn_id = await turns.run()
    await turns.http.delete(f"/internal/turns/{turn_id}", headers=turns.headers)

    assert len(await turns.messages()) == 2
    assert (await turn(turns, turn_id))["request"] is None


async def test_the_sessions_of_responses_are_nobodys_conversations(turns: Turns) -> None:
    own = (await respond(turns, "One")).json()["session_id"]
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
    turn_id = (await respond(turns, "One")).json()["turn_id"]
    headers = {"X-Drover-Tenant": stranger}

    foreign = await turns.http.request(method, f"/internal/turns/{turn_id}{path}", headers=headers)
    missing = await turns.http.request(method, f"/internal/turns/{uuid4().hex}{path}", headers=headers)

    assert (foreign.status_code, foreign.content) == (missing.status_code, missing.content) == (404, missing.content)


async def test_an_aborted_response_never_happened(turns: Turns, rows: Rows) -> None:
    begun = (await respond(turns, "One", request_id="same")).json()

    await turns.http.post(f"/internal/turns/{begun['turn_id']}/abort", headers=turns.headers)

    again = (await respond(turns, "One", request_id="same")).json()
    assert not again["is_replay"]
    assert rows.all("SELECT count(*) FROM sessions WHERE kind = 'response'") == [(1,)]


async def test_an_abort_in_another_tenants_name_is_a_404(turns: Turns, stranger: str) -> None:
    turn_id = (await turns.begin()).json()["turn_id"]

    foreign = await turns.http.post(f"/internal/turns/{turn_id}/abort", headers={"X-Drover-Tenant": stranger})

    assert foreign.status_code == 404
    assert (await turn(turns, turn_id))["state"] == "pending"


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
    answer = await respond(turns, "One", **fields)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert rows.all("SELECT count(*) FROM turns") == [(0,)]


@pytest.mark.parametrize("fields", [{"parent_turn_id": "0190"}, {"is_stored": False}])
async def test_a_turn_in_a_session_goes_on_from_its_last_and_is_stored(turns: Turns, fields: dict[str, Any]) -> None:
    assert (await turns.begin(**fields)).status_code == 400
