"""The outbox consumer on a real Valkey and a real Postgres: nothing lost, nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest
import redis.asyncio

from session_service.database import Database
from session_service.outbox import OutboxConsumer
from session_service.settings import SessionSettings
from shared.ledger import OUTBOX, OUTBOX_GROUP, AsyncLedger
from tests.fakes.span_memory import remembered_spans
from tests.integration.session_service.caller import ROOMY, Rows, Turns, eventually

MakeConsumer = Callable[[], OutboxConsumer]


@pytest.fixture
def make_consumer(
    redis_client: redis.asyncio.Redis, ledger: AsyncLedger, database: Database, settings: SessionSettings
) -> MakeConsumer:
    return lambda: OutboxConsumer(redis_client, ledger, database, settings)


@asynccontextmanager
async def at_work(*consumers: OutboxConsumer) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class DiesBeforeAcknowledging(OutboxConsumer):
    """Its process ends between the commit in Postgres and the XACK."""

    async def _acknowledge(self, *_arguments: object) -> None:
        raise asyncio.CancelledError


async def replies(rows: Rows) -> list[tuple[object, ...]]:
    return await asyncio.to_thread(rows.all, "SELECT content FROM messages WHERE is_reply ORDER BY position")


async def test_a_finished_job_becomes_a_reply_and_a_usage_record(
    turns: Turns, rows: Rows, make_consumer: MakeConsumer, redis_client: redis.asyncio.Redis
) -> None:
    turn_id = await turns.run(reply=["Hel", "lo", " wörld"])

    async with at_work(make_consumer()):
        await turns.wait_until_stored(turn_id)
        await eventually(lambda: _is_empty(redis_client))

    reply = (await turns.messages())[-1]
    assert (reply["content"], reply["role"], reply["tokens"]) == ("Hello wörld", "assistant", 3)
    assert (reply["finish_reason"], reply["status"], reply["turn_id"]) == ("stop", "completed", turn_id)
    assert rows.all("SELECT job_id, tenant_id, session_id, prompt_tokens, completion_tokens FROM usage_records") == [
        (turn_id, turns.tenant, turns.session_id, 7, 3)
    ]


async def test_the_tool_calls_of_a_reply_are_stored_as_calls(turns: Turns, make_consumer: MakeConsumer) -> None:
    turn_id = (await turns.begin("Rome?", model=ROOMY, tools=[{"name": "sun"}])).json()["turn_id"]
    await turns.accept(turn_id, session_id=turns.session_id)
    await turns.end_job(turn_id, ["<tool_call>", '{"name": "sun", "argu', 'ments": {"in": "Rome"}}', "</tool_call>"])

    async with at_work(make_consumer()):
        await turns.wait_until_stored(turn_id)

    reply = (await turns.messages())[-1]
    function = {"name": "sun", "arguments": '{"in": "Rome"}'}
    assert reply["tool_calls"] == [{"id": f"call_{turn_id}_0", "type": "function", "function": function}]
    assert (reply["content"], reply["finish_reason"], reply["status"]) == (None, "tool_calls", "completed")


async def test_what_looks_like_a_call_is_text_where_there_are_no_tools(
    turns: Turns, make_consumer: MakeConsumer
) -> None:
    turn_id = await turns.run(reply=['<tool_call>{"name": "sun"}</tool_call>'])

    async with at_work(make_consumer()):
        await turns.wait_until_stored(turn_id)

    reply = (await turns.messages())[-1]
    assert (reply["tool_calls"], reply["content"]) == (None, '<tool_call>{"name": "sun"}</tool_call>')


async def test_a_job_without_a_session_leaves_a_usage_record_only(
    turns: Turns, rows: Rows, make_consumer: MakeConsumer
) -> None:
    job_id = uuid4().hex
    await turns.accept(job_id)
    await turns.end_job(job_id)

    async with at_work(make_consumer()):
        await turns.wait_until_stored(job_id)

    assert rows.all("SELECT job_id, session_id FROM usage_records") == [(job_id, None)]
    assert await replies(rows) == []


async def test_death_between_commit_and_acknowledgement_stores_one_reply(
    turns: Turns,
    rows: Rows,
    make_consumer: MakeConsumer,
    redis_client: redis.asyncio.Redis,
    ledger: AsyncLedger,
    database: Database,
    settings: SessionSettings,
) -> None:
    await turns.run()
    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(DiesBeforeAcknowledging(redis_client, ledger, database, settings).run(), 30)
    assert await replies(rows) == [("Hello",)]
    assert await redis_client.xlen(OUTBOX) == 1

    async with at_work(make_consumer()):
        await eventually(lambda: _is_empty(redis_client))

    assert await replies(rows) == [("Hello",)]
    assert rows.all("SELECT count(*) FROM usage_records") == [(1,)]
    assert (await redis_client.xpending(OUTBOX, OUTBOX_GROUP))["pending"] == 0


async def test_while_postgres_refuses_nothing_is_lost_and_readiness_says_so(
    turns: Turns, rows: Rows, postgres_url: str, make_consumer: MakeConsumer
) -> None:
    turn_id = await turns.run()
    name = rows.database_url.split("?")[0].rsplit("/", 1)[-1]
    admin = Rows(postgres_url)
    consumer = make_consumer()

    async with at_work(consumer):
        admin.run(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            admin.all("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", name)
            second = await _run_again(turns)
            await eventually(lambda: _has_problem(consumer))
            assert "Postgres" in (consumer.problem or "")
        finally:
            admin.run(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await turns.wait_until_stored(turn_id)
        await turns.wait_until_stored(second)
        await eventually(lambda: _has_no_problem(consumer))

    assert await replies(rows) == [("Hello",)]
    assert rows.all("SELECT count(*) FROM usage_records") == [(2,)]


async def test_a_job_whose_log_is_gone_fails_its_turn_and_is_not_tried_for_ever(
    turns: Turns, rows: Rows, make_consumer: MakeConsumer, redis_client: redis.asyncio.Redis
) -> None:
    turn_id = await turns.run()
    await redis_client.delete(f"tok:{turn_id}")

    async with at_work(make_consumer()):
        await eventually(lambda: _is_empty(redis_client))

    assert rows.all("SELECT state, finish_reason FROM turns") == [("failed", "error")]
    assert (await turns.begin("Next")).status_code == 200


async def test_text_that_postgres_cannot_hold_is_replaced(
    turns: Turns, make_consumer: MakeConsumer, redis_client: redis.asyncio.Redis
) -> None:
    await turns.run(reply=["a\x00b", "c"])

    async with at_work(make_consumer()):
        await eventually(lambda: _is_empty(redis_client))

    assert (await turns.messages())[-1]["content"] == "a\ufffdbc"


async def test_an_entry_that_nobody_can_read_does_not_hold_up_the_others(
    turns: Turns, rows: Rows, make_consumer: MakeConsumer, redis_client: redis.asyncio.Redis
) -> None:
    await redis_client.xadd(OUTBOX, {"what": "is this"})
    await turns.run()

    async with at_work(make_consumer()):
        await eventually(lambda: _is_empty(redis_client))

    assert await replies(rows) == [("Hello",)]


async def test_the_reply_of_a_deleted_session_is_dropped(
    turns: Turns, rows: Rows, make_consumer: MakeConsumer, redis_client: redis.asyncio.Redis
) -> None:
    await turns.run()
    await turns.http.delete(f"/internal/sessions/{turns.session_id}", headers={"X-Drover-Tenant": turns.tenant})

    async with at_work(make_consumer()):
        await eventually(lambda: _is_empty(redis_client))

    assert await replies(rows) == []
    assert rows.all("SELECT count(*) FROM usage_records") == [(1,)]


async def test_several_consumers_store_every_job_once(
    turns: Turns, rows: Rows, make_consumer: MakeConsumer, redis_client: redis.asyncio.Redis
) -> None:
    job_ids = [uuid4().hex for _ in range(60)]

    async with at_work(make_consumer(), make_consumer(), make_consumer()):
        for job_id in job_ids:
            await turns.accept(job_id)
            await turns.end_job(job_id, ["x"])
        await eventually(lambda: _is_empty(redis_client))

    assert sorted(job_id for (job_id,) in rows.all("SELECT job_id FROM usage_records")) == sorted(job_ids)


async def test_a_lost_group_is_made_again(
    turns: Turns, rows: Rows, make_consumer: MakeConsumer, redis_client: redis.asyncio.Redis
) -> None:
    async with at_work(make_consumer()):
        await turns.wait_until_stored(await turns.run())
        await redis_client.delete(OUTBOX)
        await turns.wait_until_stored(await turns.run("Again"))

    assert len(await replies(rows)) == 2


async def _run_again(turns: Turns) -> str:
    """A job without a session, since Postgres is away."""
    job_id = uuid4().hex
    await turns.accept(job_id)
    await turns.end_job(job_id)
    return job_id


async def _is_empty(client: redis.asyncio.Redis) -> bool:
    return bool(await client.xlen(OUTBOX) == 0)


async def _has_problem(consumer: OutboxConsumer) -> bool:
    return consumer.problem is not None


async def _has_no_problem(consumer: OutboxConsumer) -> bool:
    return consumer.problem is None


async def test_what_is_stored_is_the_last_span_of_its_jobs_trace(
    turns: Turns, make_consumer: MakeConsumer, redis_client: redis.asyncio.Redis
) -> None:
    turn_id = (await turns.begin()).json()["turn_id"]
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await turns.accept(turn_id, session_id=turns.session_id, traceparent=traceparent)
    await turns.end_job(turn_id, ["a secret"])

    with remembered_spans() as memory:
        async with at_work(make_consumer()):
            await turns.wait_until_stored(turn_id)
            await eventually(lambda: _is_empty(redis_client))

    stored = memory.one("store turn")
    assert f"{stored.context.trace_id:032x}" == traceparent.split("-")[1]
    assert dict(stored.attributes) == {
        "drover.job.id": turn_id,
        "drover.turn.state": "done",
        "gen_ai.conversation.id": turns.session_id,
    }
