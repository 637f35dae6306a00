"""The sweeper on a real Valkey and a real Postgres."""

import pytest
import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError

from session_service.database import Database
from session_service.settings import SessionSettings
from session_service.sweeper import Sweeper
from shared.ledger import AsyncLedger
from tests.integration.session_service.caller import Rows, Turns


@pytest.fixture
def sweeper(
    redis_client: redis.asyncio.Redis, ledger: AsyncLedger, database: Database, settings: SessionSettings
) -> Sweeper:
    return Sweeper(redis_client, ledger, database, settings)


@pytest.fixture
async def old_turn(turns: Turns, rows: Rows) -> str:
    """A pending turn from a minute ago."""
    turn_id: str = (await turns.begin(request_id="same")).json()["turn_id"]
    rows.run("UPDATE turns SET created_at = now() - interval '1 minute'")
    return turn_id


async def test_a_turn_without_a_job_fails_and_frees_its_session(
    sweeper: Sweeper, old_turn: str, turns: Turns, rows: Rows
) -> None:
    await sweeper.sweep()

    assert rows.all("SELECT state FROM turns WHERE id = %s", old_turn) == [("failed",)]
    again = (await turns.begin(request_id="same")).json()
    assert not again["is_replay"]


async def test_a_response_without_a_job_vanishes(sweeper: Sweeper, turns: Turns, rows: Rows) -> None:
    first = (await turns.begin(session_id=None, request_id="same")).json()
    rows.run("UPDATE turns SET created_at = now() - interval '1 minute'")

    await sweeper.sweep()

    assert rows.all("SELECT count(*) FROM turns") == [(0,)]
    assert (await turns.begin(session_id=None, request_id="same")).json()["turn_id"] != first["turn_id"]


async def test_a_retry_takes_the_place_of_the_turn_that_was_swept(
    sweeper: Sweeper, old_turn: str, turns: Turns, rows: Rows
) -> None:
    await sweeper.sweep()
    assert [message["status"] for message in await turns.messages()] == ["incomplete"]

    await turns.begin(request_id="same")

    assert [message["status"] for message in await turns.messages()] == ["in_progress"]


async def test_another_message_leaves_the_swept_turn_where_it_is(
    sweeper: Sweeper, old_turn: str, turns: Turns, rows: Rows
) -> None:
    await sweeper.sweep()

    await turns.begin("Something else", body_hash="other")

    assert [message["content"] for message in await turns.messages()] == ["Hello", "Something else"]


async def test_a_turn_that_has_just_begun_is_left_alone(
    turns: Turns,
    rows: Rows,
    redis_client: redis.asyncio.Redis,
    ledger: AsyncLedger,
    database: Database,
    settings: SessionSettings,
) -> None:
    await turns.begin()

    patient = settings.model_copy(update={"accept_grace_s": 10.0})
    await Sweeper(redis_client, ledger, database, patient).sweep()

    assert rows.all("SELECT state FROM turns") == [("pending",)]


async def test_a_turn_whose_job_runs_is_left_alone(sweeper: Sweeper, old_turn: str, turns: Turns, rows: Rows) -> None:
    await turns.accept(old_turn, session_id=turns.session_id)

    await sweeper.sweep()

    assert rows.all("SELECT state FROM turns") == [("pending",)]


async def test_a_turn_long_past_its_deadline_fails(
    sweeper: Sweeper, old_turn: str, turns: Turns, rows: Rows, redis_client: redis.asyncio.Redis
) -> None:
    await turns.accept(old_turn, session_id=turns.session_id)
    seconds, _ = await redis_client.time()
    await redis_client.hset(f"job:{old_turn}", "deadline_ms", (seconds - 31) * 1000)

    await sweeper.sweep()

    assert rows.all("SELECT state, finish_reason FROM turns") == [("failed", "error")]
    assert [message["status"] for message in await turns.messages()] == ["incomplete", "incomplete"]


async def test_a_finished_job_is_left_to_the_outbox_however_late(
    sweeper: Sweeper, old_turn: str, turns: Turns, rows: Rows, redis_client: redis.asyncio.Redis
) -> None:
    await turns.accept(old_turn, session_id=turns.session_id)
    await turns.end_job(old_turn)
    seconds, _ = await redis_client.time()
    await redis_client.hset(f"job:{old_turn}", "deadline_ms", (seconds - 3600) * 1000)

    await sweeper.sweep()

    assert rows.all("SELECT state FROM turns") == [("pending",)]


async def test_without_redis_no_turn_is_touched(
    old_turn: str, rows: Rows, database: Database, settings: SessionSettings
) -> None:
    nowhere = redis.asyncio.Redis(host="127.0.0.1", port=1)

    with pytest.raises(RedisConnectionError):
        await Sweeper(nowhere, AsyncLedger(nowhere), database, settings).sweep()

    assert rows.all("SELECT state FROM turns WHERE id = %s", old_turn) == [("pending",)]


async def test_a_finish_after_the_sweep_changes_nothing(
    sweeper: Sweeper, old_turn: str, turns: Turns, rows: Rows, running: None
) -> None:
    await sweeper.sweep()

    await turns.accept(old_turn, session_id=turns.session_id)
    await turns.end_job(old_turn)
    await turns.wait_until_stored(old_turn)

    assert rows.all("SELECT state FROM turns") == [("failed",)]
    assert rows.all("SELECT count(*) FROM messages WHERE is_reply") == [(0,)]
    assert rows.all("SELECT count(*) FROM usage_records") == [(1,)]
