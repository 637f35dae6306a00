"""What a turn's prompt draws on: the chain of turns that it goes on from."""

import asyncio

import httpx

from tests.integration.session_service.caller import Rows, Turns

WEATHER = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"in": "Rome"}'},
}


def said(begun: httpx.Response) -> list[str]:
    assert begun.status_code == 200, begun.text
    return [message["content"] for message in begun.json()["messages"]]


async def test_a_response_goes_on_from_the_one_before_it(turns: Turns) -> None:
    first = await turns.responded("My name is Ada.", "Hello Ada.")
    second = await turns.responded("I like green.", "Noted.", parent=first)

    begun = await turns.respond("What do you know?", parent=second)

    assert said(begun) == ["My name is Ada.", "Hello Ada.", "I like green.", "Noted.", "What do you know?"]


async def test_a_response_may_go_on_from_any_earlier_one(turns: Turns) -> None:
    first = await turns.responded("One", "1")
    await turns.responded("Two", "2", parent=first)

    begun = await turns.respond("Another two", parent=first)

    assert said(begun) == ["One", "1", "Another two"]


async def test_sixteen_responses_may_go_on_from_one_parent_at_once(turns: Turns) -> None:
    parent = await turns.responded("One", "1")

    answers = await asyncio.gather(*(turns.respond(f"Branch {n}", parent=parent) for n in range(16)))

    assert [said(answer) for answer in answers] == [["One", "1", f"Branch {n}"] for n in range(16)]
    assert len({answer.json()["session_id"] for answer in answers}) == 16


async def test_instructions_are_for_one_prompt_alone(turns: Turns) -> None:
    begun = await turns.respond("One", instructions="Be brief.")
    first = begun.json()
    await turns.accept(first["turn_id"], session_id=first["session_id"])
    await turns.end_job(first["turn_id"], ["1"])

    second = await turns.respond("Two", parent=first["turn_id"], instructions="Be kind.")

    assert said(begun) == ["Be brief.", "One"]
    assert said(second) == ["Be kind.", "One", "1", "Two"]


async def test_tool_calls_and_their_results_are_part_of_the_chain_and_come_back_unchanged(turns: Turns) -> None:
    messages = [
        {"role": "user", "content": "Weather?", "parts": [{"type": "text", "text": "Weath"}, {"text": "er?"}]},
        {"role": "assistant", "content": "", "tool_calls": [WEATHER]},
        {"role": "tool", "content": "Sunny", "tool_call_id": "call_1"},
    ]
    begun = (await turns.respond(messages=messages)).json()
    await turns.accept(begun["turn_id"], session_id=begun["session_id"])
    await turns.end_job(begun["turn_id"])

    path = f"/internal/turns/{begun['turn_id']}/inputs"
    stored = (await turns.http.get(path, headers=turns.headers)).json()["data"]
    child = (await turns.respond("And now?", parent=begun["turn_id"])).json()

    assert stored[0]["content"] == [{"type": "text", "text": "Weath"}, {"type": "text", "text": "er?"}]
    assert (stored[1]["content"], stored[1]["tool_calls"]) == (None, [WEATHER])
    assert (stored[2]["content"], stored[2]["tool_call_id"]) == ("Sunny", "call_1")
    assert child["messages"][1]["tool_calls"] == [WEATHER]
    assert child["messages"][2]["tool_call_id"] == "call_1"
    assert child["messages"][0]["parts"] is None


async def test_a_long_chain_is_truncated_or_refused_as_the_caller_wants(turns: Turns) -> None:
    parent = None
    for number in range(6):
        parent = await turns.responded(f"{number} " + "word " * 8, "answer " * 4, parent=parent)

    refused = await turns.respond("And now?", parent=parent, truncation="disabled")
    begun = (await turns.respond("And now?", parent=parent)).json()

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert begun["truncation"]["dropped_messages"] > 0
    assert len(begun["messages"]) + begun["truncation"]["dropped_messages"] == 13
    assert (await turns.read(begun["turn_id"]))["truncation"] == begun["truncation"]


async def test_system_messages_of_a_chain_are_kept_however_old(turns: Turns) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "One"}]
    first = (await turns.respond(messages=messages)).json()
    await turns.accept(first["turn_id"], session_id=first["session_id"])
    await turns.end_job(first["turn_id"], ["1"])
    parent = first["turn_id"]
    for number in range(12):
        parent = await turns.responded(f"{number} " + "word " * 8, "answer " * 4, parent=parent)

    begun = await turns.respond("And now?", parent=parent)

    assert said(begun)[0] == "Be brief."
    assert begun.json()["truncation"]["dropped_messages"] > 0


async def test_a_response_goes_on_from_a_turn_of_a_conversation(turns: Turns) -> None:
    first = await turns.run("One", reply=["1"])
    await turns.run("Two", reply=["2"])

    begun = await turns.respond("Instead of two", parent=first)

    assert said(begun) == ["One", "1", "Instead of two"]
    assert [message["content"] for message in await turns.messages()] == ["One", "1", "Two", "2"]


async def test_a_chain_from_a_conversation_has_all_that_was_there_before(turns: Turns) -> None:
    await turns.run("One", reply=["1"])
    second = await turns.run("Two", reply=["2"])
    await turns.messages()
    child = await turns.responded("Three", "3", parent=second)

    begun = await turns.respond("Four", parent=child)

    assert said(begun) == ["One", "1", "Two", "2", "Three", "3", "Four"]


async def test_what_goes_on_from_a_deleted_response_goes_on_from_its_parent(turns: Turns, rows: Rows) -> None:
    first = await turns.responded("One", "1")
    second = await turns.responded("Two", "2", parent=first)
    third = await turns.responded("Three", "3", parent=second)
    await turns.read(second)

    deleted = await turns.http.delete(f"/internal/turns/{second}", headers=turns.headers)

    assert deleted.json() == {"id": second, "object": "session.turn.deleted", "deleted": True}
    assert said(await turns.respond("Four", parent=third)) == ["One", "1", "Three", "3", "Four"]
    assert rows.all("SELECT count(*) FROM messages WHERE content = 'Two'") == [(0,)]
    assert (await turns.http.get(f"/internal/turns/{second}", headers=turns.headers)).status_code == 404


async def test_a_result_needs_the_call_that_it_answers(turns: Turns) -> None:
    asked = [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "", "tool_calls": [WEATHER]}]
    result = {"role": "tool", "content": "Sunny", "tool_call_id": "call_1"}
    begun = (await turns.respond(messages=[*asked, {"role": "user", "content": "And?"}])).json()
    await turns.accept(begun["turn_id"], session_id=begun["session_id"])
    await turns.end_job(begun["turn_id"])

    of_the_chain = await turns.respond(messages=[result], parent=begun["turn_id"])
    refused = [
        await turns.respond(messages=[result]),
        await turns.respond(messages=[result], is_stored=False),
        await turns.respond(messages=[result, *asked, {"role": "user", "content": "And?"}]),
        await turns.respond(messages=[{**result, "tool_call_id": "call_2"}], parent=begun["turn_id"]),
        await turns.begin(messages=[result]),
        await turns.begin(messages=[result], request={}),
    ]

    assert of_the_chain.status_code == 200, of_the_chain.text
    assert {answer.status_code for answer in refused} == {400}
    assert refused[0].json()["error"]["param"] == "messages"
    assert (await turns.begin("Hello")).status_code == 200  # what was refused has left no turn open
