"""The way to Postgres: engine, one transaction per request, and the driver's errors in our own words."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import URL, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from session_service.connection import connector
from session_service.settings import SessionSettings
from shared.errors import BadRequestError, UnavailableError
from shared.settings import ConfigurationError

Transaction = AsyncSession
"""What service functions take; whoever opened it commits it."""

MIGRATION_CONNECT_TIMEOUT_S = 5

ANSWER_SLACK_S = 0.5
"""How much longer than a statement may take we wait for Postgres to say that it has taken too long."""


class Database:
    """A pool of connections to one Postgres."""

    def __init__(self, settings: SessionSettings):
        timeouts = (
            f"-c statement_timeout={round(settings.statement_timeout_s * 1000)} "
            f"-c lock_timeout={round(settings.lock_timeout_s * 1000)} "
            f"-c idle_in_transaction_session_timeout={round(settings.idle_in_transaction_timeout_s * 1000)}"
        )
        self._engine = create_async_engine(
            driver_url(settings.database_url.get_secret_value()),
            pool_size=settings.pool_size,
            max_overflow=settings.pool_size,
            pool_timeout=settings.statement_timeout_s,
            hide_parameters=True,  # they are messages, and errors go to the log
            pool_pre_ping=True,  # a restart of Postgres costs a reconnect, not one failed request per connection
            connect_args={
                "options": timeouts,
                "async_creator_fn": connector(
                    connect_timeout_s=settings.connect_timeout_s,
                    answer_timeout_s=settings.statement_timeout_s + ANSWER_SLACK_S,
                ),
            },
        )
        self._connect_timeout_s = settings.connect_timeout_s
        self._transactions = async_sessionmaker(self._engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction: committed at the end, rolled back on any error.

        Raises UnavailableError when Postgres cannot be reached or is too slow, BadRequestError for a value that
        Postgres cannot store; both also for the statements inside.
        """
        try:
            async with self._transactions() as opened, opened.begin():
                await self._connect(opened)
                yield opened
        except DataError as error:
            raise BadRequestError("A text or number in the request cannot be stored (such as U+0000).") from error
        except IntegrityError as error:
            raise BadRequestError("The request does not fit to what is stored.") from error
        except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
            raise UnavailableError("The database cannot be reached or is overloaded; try again shortly.") from error

    async def _connect(self, opened: Transaction) -> None:
        """A connection that works, out of the pool or new. Raises UnavailableError."""
        try:
            async with asyncio.timeout(self._connect_timeout_s):  # a ping, then perhaps a new connection: one limit
                await opened.connection()
        except TimeoutError as error:
            raise UnavailableError("The database does not answer; try again shortly.") from error

    async def ping(self) -> None:
        """Ask Postgres for a sign of life. Raises UnavailableError."""
        async with self.transaction() as opened:
            await opened.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()


def driver_url(database_url: str) -> URL:
    """`database_url` with the driver that we use. Raises ConfigurationError for anything but a Postgres URL."""
    try:
        url = make_url(database_url)
    except ArgumentError as error:
        raise ConfigurationError("DATABASE_URL must look like postgresql://user:password@host/name.") from error
    if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise ConfigurationError(f"DATABASE_URL must begin with postgresql://, not with {url.drivername}://.")
    return url.set(drivername="postgresql+psycopg")


def migration_engine(database_url: str) -> Engine:
    """A synchronous engine without statement time-outs, for migrations."""
    return create_engine(
        driver_url(database_url), poolclass=NullPool, connect_args={"connect_timeout": MIGRATION_CONNECT_TIMEOUT_S}
    )


def check_connection(database_url: str) -> None:
    """Connect once. Raises UnavailableError if that fails, ConfigurationError for a wrong URL."""
    try:
        with migration_engine(database_url).connect() as connection:
            connection.execute(text("SELECT 1"))
    except (OperationalError, InterfaceError) as error:
        raise UnavailableError(_first_line(error)) from error


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
