"""Turns on a real Postgres: one at a time, one per request, one reply each."""

import asyncio
from collections import Counter

import httpx
import pytest

from session_service.database import Database
from session_service.turns import finish_turn
from tests.integration.session_service.caller import MODEL, Rows, Turns


async def test_of_sixteen_concurrent_turns_one_begins(turns: Turns, rows: Rows) -> None:
    answers = await asyncio.gather(*(turns.begin() for _ in range(16)))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 15}
    assert {answer.json()["error"]["code"] for answer in answers if answer.is_error} == {"turn_in_progress"}
    assert rows.all("SELECT count(*) FROM turns") == rows.all("SELECT count(*) FROM messages") == [(1,)]


async def test_the_same_request_sixteen_times_is_one_turn(turns: Turns, rows: Rows) -> None:
    answers = await asyncio.gather(*(turns.begin(request_id="same") for _ in range(16)))

    begun = [answer.json() for answer in answers]
    assert len({turn["turn_id"] for turn in begun}) == 1
    assert Counter(turn["is_replay"] for turn in begun) == {False: 1, True: 15}
    assert rows.all("SELECT count(*) FROM turns") == [(1,)]


async def test_sixteen_concurrent_finishes_store_one_reply(turns: Turns, database: Database, rows: Rows) -> None:
    turn_id = (await turns.begin()).json()["turn_id"]

    async def finish() -> bool:
        async with database.transaction() as tx:
            return await finish_turn(
                tx,
                tenant_id=turns.tenant,
                session_id=turns.session_id,
                turn_id=turn_id,
                state="done",
                finish_reason="stop",
                text="Hi",
                tokens=1,
            )

    effects = await asyncio.gather(*(finish() for _ in range(16)))

    assert Counter(effects) == {True: 1, False: 15}
    assert rows.all("SELECT role, content FROM messages ORDER BY position") == [("user", "Hello"), ("assistant", "Hi")]


async def test_the_same_request_with_another_body_is_refused(turns: Turns) -> None:
    await turns.begin(request_id="same", body_hash="one")

    answer = await turns.begin(request_id="same", body_hash="two")

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "idempotency_mismatch"


async def test_another_tenants_session_looks_like_a_missing_one(turns: Turns, stranger: str) -> None:
    foreign = await turns.begin(tenant_id=stranger)
    missing = await turns.begin(session_id="sess_of_nobody")

    assert (foreign.status_code, foreign.json()) == (missing.status_code, missing.json())
    assert foreign.json()["error"]["code"] == "session_not_found"


async def test_a_turn_sees_what_was_said_before(turns: Turns, running: None) -> None:
    first = await turns.run("My name is Ada.", reply=["Hello", " Ada."])
    await turns.wait_until_stored(first)

    begun = (await turns.begin("What is my name?")).json()

    assert [(message["role"], message["content"]) for message in begun["messages"]] == [
        ("user", "My name is Ada."),
        ("assistant", "Hello Ada."),
        ("user", "What is my name?"),
    ]
    assert begun["truncation"] == {"dropped_messages": 0, "dropped_tokens": 0}


async def test_the_oldest_exchanges_leave_a_prompt_that_grows_too_long(
    turns: Turns, running: None, http: httpx.AsyncClient
) -> None:
    for number in range(6):
        await turns.wait_until_stored(await turns.run(f"{number} " + "word " * 8, reply=["answer "] * 4))

    begun = (await turns.begin("And now?")).json()

    kept = [message["content"] for message in begun["messages"]]
    count = await http.post("/internal/prompts/count", json={"model": MODEL, "messages": begun["messages"]})
    assert begun["prompt_tokens"] == count.json()["prompt_tokens"] <= 256 - 32
    assert kept[-1] == "And now?"
    assert kept[0].startswith(str(begun["truncation"]["dropped_messages"] // 2))
    assert 0 < begun["truncation"]["dropped_messages"] < 12
    assert begun["truncation"]["dropped_tokens"] > 0
    assert len(await turns.messages()) == 13


async def test_a_message_that_cannot_fit_is_refused_and_leaves_nothing(turns: Turns, rows: Rows) -> None:
    answer = await turns.begin("x" * 400)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    assert "256 tokens" in answer.json()["error"]["message"]
    assert rows.all("SELECT count(*) FROM turns") == rows.all("SELECT count(*) FROM messages") == [(0,)]


async def test_a_reply_longer_than_the_context_is_refused(turns: Turns) -> None:
    answer = await turns.begin(max_tokens=256)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "max_tokens"


async def test_system_messages_replace_those_of_the_session(turns: Turns) -> None:
    for text in ("Be brief.", "Be kind."):
        messages = [{"role": "system", "content": text}, {"role": "user", "content": "Hello"}]
        begun = (await turns.begin(messages=messages)).json()
        await turns.http.post(f"/internal/turns/{begun['turn_id']}/abort")

    begun = (await turns.begin("Hello")).json()

    assert [message["content"] for message in begun["messages"]] == ["Be kind.", "Hello"]
    stored = await turns.messages()
    assert [(message["role"], message["turn_id"] is None) for message in stored] == [("system", True), ("user", False)]


async def test_the_system_message_of_a_new_session_is_in_its_prompts(turns: Turns, http: httpx.AsyncClient) -> None:
    made = await http.post(
        "/internal/sessions", json={"system": "Be brief."}, headers={"X-Drover-Tenant": turns.tenant}
    )

    begun = (await turns.begin(session_id=made.json()["id"])).json()

    assert [message["role"] for message in begun["messages"]] == ["system", "user"]


async def test_several_new_messages_belong_to_one_turn(turns: Turns, running: None) -> None:
    messages = [
        {"role": role, "content": text}
        for role, text in (("user", "One"), ("assistant", "Two"), ("user", "Three"), ("user", "Four"))
    ]
    turn_id = (await turns.begin(messages=messages)).json()["turn_id"]
    await turns.accept(turn_id, session_id=turns.session_id)
    await turns.end_job(turn_id)
    await turns.wait_until_stored(turn_id)

    assert [message["role"] for message in await turns.messages()] == ["user", "assistant", "user", "user", "assistant"]


@pytest.mark.parametrize("reason", ["cancelled", "error"])
async def test_a_turn_that_did_not_end_well_is_left_out_of_later_prompts(
    turns: Turns, running: None, reason: str
) -> None:
    turn_id = await turns.run("Broken", reason=reason)  # type: ignore[arg-type]
    await turns.wait_until_stored(turn_id)

    begun = (await turns.begin("Next")).json()

    assert [message["content"] for message in begun["messages"]] == ["Next"]
    stored = [(message["content"], message["status"]) for message in await turns.messages()]
    assert stored == [("Broken", "incomplete"), ("Hello", "incomplete"), ("Next", "in_progress")]


async def test_an_aborted_turn_never_happened(turns: Turns) -> None:
    first = (await turns.begin("Hello", request_id="same")).json()

    aborted = await turns.http.post(f"/internal/turns/{first['turn_id']}/abort")
    again = (await turns.begin("Hello", request_id="same")).json()

    assert aborted.status_code == 204
    assert again["turn_id"] != first["turn_id"]
    assert not again["is_replay"]
    assert [message["content"] for message in await turns.messages()] == ["Hello"]


async def test_aborting_a_finished_turn_changes_nothing(turns: Turns, running: None) -> None:
    turn_id = await turns.run()
    await turns.wait_until_stored(turn_id)

    answer = await turns.http.post(f"/internal/turns/{turn_id}/abort")

    assert answer.status_code == 204
    assert [message["status"] for message in await turns.messages()] == ["completed", "completed"]


async def test_aborting_a_turn_that_is_not_there_is_a_404(turns: Turns) -> None:
    assert (await turns.http.post("/internal/turns/0190/abort")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"messages": []}, 400, "invalid_request_error"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, 400, "invalid_request_error"),
        (
            {"messages": [{"role": "user", "content": "Hi"}, {"role": "system", "content": "Be kind."}]},
            400,
            "invalid_request_error",
        ),
        ({"messages": [{"role": "user", "content": "nul \x00"}]}, 400, "invalid_request_error"),
        ({"request_id": "x" * 256}, 400, "invalid_request_error"),
        ({"model": "unknown"}, 404, "model_not_found"),
        ({"model": "vectors"}, 404, "model_not_found"),
        ({"model": "no-file"}, 503, "model_unavailable"),
    ],
)
async def test_what_cannot_begin_a_turn_is_refused(
    turns: Turns, rows: Rows, fields: dict[str, object], status: int, code: str
) -> None:
    answer = await turns.begin(**fields)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert rows.all("SELECT count(*) FROM turns") == [(0,)]
