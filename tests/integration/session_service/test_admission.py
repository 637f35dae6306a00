"""Read-your-writes: a turn sees the one before it, however far behind the outbox is."""

import asyncio

import httpx
import pytest
import redis.asyncio
from asgi_lifespan import LifespanManager

from session_service.app import create_app
from session_service.settings import SessionSettings
from shared.ledger import OUTBOX, AsyncLedger
from tests.integration.session_service.caller import Rows, Turns


async def test_a_turn_begins_and_sees_the_one_before_it_though_nobody_reads_the_outbox(
    turns: Turns, redis_client: redis.asyncio.Redis
) -> None:
    for number in range(5):
        await turns.run(f"Question {number}", reply=["Answer ", str(number)])

    begun = await turns.begin("And now?")

    contents = [message["content"] for message in begun.json()["messages"]]
    assert contents == [text for n in range(5) for text in (f"Question {n}", f"Answer {n}")] + ["And now?"]
    assert await redis_client.xlen(OUTBOX) == 5


async def test_a_turn_that_was_stored_before_its_turn_in_the_outbox_is_stored_once(
    turns: Turns, rows: Rows, settings: SessionSettings
) -> None:
    turn_id = await turns.run()
    await turns.begin("Next")

    async with LifespanManager(create_app(settings)):
        await turns.wait_until_stored(turn_id)

    assert rows.all("SELECT content FROM messages WHERE is_reply") == [("Hello",)]
    assert rows.all("SELECT completion_tokens FROM usage_records") == [(2,)]


async def test_of_sixteen_turns_that_find_an_ended_one_unstored_one_begins(turns: Turns, rows: Rows) -> None:
    await turns.run()

    answers = await asyncio.gather(*(turns.begin("Next") for _ in range(16)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 15
    assert rows.all("SELECT content FROM messages ORDER BY position") == [("Hello",), ("Hello",), ("Next",)]


async def test_the_reader_of_messages_sees_the_reply_too(turns: Turns) -> None:
    await turns.run(reply=["Hi"])

    assert [(message["content"], message["status"]) for message in await turns.messages()] == [
        ("Hello", "completed"),
        ("Hi", "completed"),
    ]


async def test_a_turn_whose_job_runs_keeps_others_out(turns: Turns) -> None:
    turn_id = (await turns.begin()).json()["turn_id"]
    await turns.accept(turn_id, session_id=turns.session_id)

    answer = await turns.begin("Next")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "turn_in_progress")


async def test_a_turn_that_was_cancelled_while_it_waited_makes_room_at_once(turns: Turns, ledger: AsyncLedger) -> None:
    turn_id = (await turns.begin()).json()["turn_id"]
    await turns.accept(turn_id, session_id=turns.session_id)
    await ledger.cancel(turn_id, turns.tenant)

    assert (await turns.begin("Next")).status_code == 200


async def test_the_next_turn_waits_for_the_end_of_one_that_is_being_cancelled(
    turns: Turns, ledger: AsyncLedger
) -> None:
    turn_id = (await turns.begin()).json()["turn_id"]
    await turns.accept(turn_id, session_id=turns.session_id)
    claimed = await turns.claim(turn_id)
    await ledger.cancel(turn_id, turns.tenant)

    next_turn = asyncio.create_task(turns.begin("Next"))
    await asyncio.sleep(0.1)
    assert not next_turn.done()
    await turns.finish(claimed, ["Half"], "cancelled")

    assert (await next_turn).status_code == 200
    assert [message["content"] for message in (await next_turn).json()["messages"]] == ["Next"]


async def test_why_a_job_failed_is_kept_with_its_turn(turns: Turns) -> None:
    turn_id = await turns.run(reason="error")

    turn = (await turns.http.get(f"/internal/turns/{turn_id}", headers=turns.headers)).json()

    assert (turn["state"], turn["error"]["code"]) == ("failed", "inference_error")


@pytest.mark.usefixtures("running")
async def test_without_redis_a_busy_session_is_unavailable_and_can_be_read(
    turns: Turns, settings: SessionSettings
) -> None:
    await turns.begin()
    app = create_app(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"}))
    headers = {"Authorization": f"Bearer {settings.internal_token.get_secret_value()}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sessions", headers=headers
    ) as cut:
        alone = Turns(cut, turns.ledger, turns.redis_url, turns.tenant, turns.session_id)
        answer = await alone.begin("Next")
        read = await alone.messages()
    await app.state.parts.database.close()

    assert answer.status_code == 503
    assert [message["status"] for message in read] == ["in_progress"]
