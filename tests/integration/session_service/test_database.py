"""The way to Postgres, what its failures tell, and how long it takes to give up one that hangs."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from traceback import format_exception
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from session_service.database import Database
from session_service.settings import SessionSettings
from shared.errors import BadRequestError, UnavailableError
from tests.integration.session_service.caller import Rows


@contextmanager
def frozen(rows: Rows) -> Iterator[None]:
    """The server processes of the connections to this database stand still."""
    name = rows.database_url.split("?")[0].rsplit("/", 1)[-1]
    found = rows.all("SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", name)
    with ExitStack() as awaken:
        for (pid,) in found:
            os.kill(pid, signal.SIGSTOP)
            awaken.callback(os.kill, pid, signal.SIGCONT)
        assert found
        yield


@pytest.fixture
def is_local(postgres_url: str) -> None:
    """Skips where the server's processes are in a container."""
    with psycopg.connect(postgres_url) as connection:
        pid = connection.info.backend_pid
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, PermissionError):
            pytest.skip("Postgres' processes are not ours")


async def test_an_error_that_goes_to_the_log_holds_nothing_of_what_was_to_be_stored(database: Database) -> None:
    content = uuid4().hex

    with pytest.raises(BadRequestError) as refused:
        async with database.transaction() as tx:
            await tx.execute(text("SELECT 1 / (:number - 1), :content"), {"number": 1, "content": content})

    assert content not in "".join(format_exception(refused.value))


async def test_a_connection_that_hangs_before_it_is_used_is_given_up_in_time(
    is_local: None, rows: Rows, settings: SessionSettings
) -> None:
    database = Database(settings.model_copy(update={"connect_timeout_s": 0.3}))
    await database.ping()

    with frozen(rows):
        async with asyncio.timeout(5):
            with pytest.raises(UnavailableError):
                await database.ping()

    await database.ping()
    await database.close()


async def test_a_connection_that_hangs_in_a_transaction_is_given_up_in_time(
    is_local: None, rows: Rows, settings: SessionSettings
) -> None:
    database = Database(settings.model_copy(update={"statement_timeout_s": 0.2}))

    async def ask_a_server_that_stands_still() -> None:
        async with database.transaction() as tx:
            await tx.execute(text("SELECT 1"))
            with frozen(rows):
                await tx.execute(text("SELECT 1"))

    async with asyncio.timeout(5):
        with pytest.raises(UnavailableError):
            await ask_a_server_that_stands_still()

    await database.ping()
    await database.close()


async def test_a_cancelled_statement_lets_go_at_once_and_of_its_connection_alone(
    rows: Rows, settings: SessionSettings
) -> None:
    database = Database(settings.model_copy(update={"pool_size": 1}))

    async with asyncio.timeout(10):
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1), database.transaction() as tx:
                    await tx.execute(text("SELECT pg_sleep(1)"))

        await database.ping()
    await database.close()


async def test_a_statement_that_takes_too_long_is_unavailable(settings: SessionSettings) -> None:
    database = Database(settings.model_copy(update={"statement_timeout_s": 0.1}))

    with pytest.raises(UnavailableError):
        async with database.transaction() as tx:
            await tx.execute(text("SELECT pg_sleep(30)"))

    await database.close()


async def test_a_transaction_that_asks_nothing_is_ended(settings: SessionSettings) -> None:
    database = Database(settings.model_copy(update={"idle_in_transaction_timeout_s": 0.1}))

    async def think_between_two_statements() -> None:
        async with database.transaction() as tx:
            await tx.execute(text("SELECT 1"))
            await asyncio.sleep(0.5)
            await tx.execute(text("SELECT 1"))

    with pytest.raises(UnavailableError):
        await think_between_two_statements()

    await database.close()
