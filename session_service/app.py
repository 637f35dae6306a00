"""The application: routes in front, the outbox consumer and the sweeper beside them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import redis.asyncio
from fastapi import Depends, FastAPI
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from session_service.admission import Admission
from session_service.arrears import Arrears
from session_service.database import Database
from session_service.outbox import OutboxConsumer
from session_service.routes import ROUTERS
from session_service.routes.dependencies import Parts
from session_service.settings import SessionSettings
from session_service.sweeper import Sweeper
from session_service.token_counter import TokenCounter
from shared.catalogue import Catalogue
from shared.errors import UnavailableError
from shared.http import RequestCountMiddleware, require_internal_token, service_app
from shared.ledger import AsyncLedger

READY_TIMEOUT_S = 0.8
"""The gateway waits a second for /readyz."""


def create_app(settings: SessionSettings) -> FastAPI:
    """The service; it connects to nothing before it starts. Raises ConfigurationError for a broken catalogue."""
    database = Database(settings)
    client = _redis_client(settings)
    ledger = AsyncLedger(client)
    outbox = OutboxConsumer(client, ledger, database, settings)
    sweeper = Sweeper(client, ledger, database, settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(outbox.run()), asyncio.create_task(sweeper.run())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.aclose()
        await database.close()

    async def readiness() -> dict[str, str]:
        postgres, redis_answer = await asyncio.gather(_postgres_check(database), _redis_check(client))
        return {"postgres": postgres, "redis": redis_answer, "outbox": outbox.problem or "ok"}

    app = service_app("session-service", readiness=readiness, lifespan=lifespan, max_body_bytes=settings.max_body_bytes)
    counter = TokenCounter(Catalogue.load(settings.models_dir))
    arrears = Arrears(ledger, database, ledger_timeout_s=settings.ledger_timeout_s)
    app.state.parts = Parts(settings, database, counter, arrears, Admission(database, arrears, counter))
    app.add_middleware(RequestCountMiddleware)
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(require_internal_token(settings.internal_token))])
    return app


def _redis_client(settings: SessionSettings) -> redis.asyncio.Redis:
    """Gives up within two seconds: whoever calls tries again by itself, and says that it waits."""
    return redis.asyncio.Redis.from_url(
        settings.redis_url,
        socket_connect_timeout=2,
        socket_timeout=5,  # longer than the outbox's blocking read
        health_check_interval=10,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),
    )


async def _postgres_check(database: Database) -> str:
    with suppress(UnavailableError, TimeoutError):
        async with asyncio.timeout(READY_TIMEOUT_S):
            await database.ping()
            return "ok"
    return "Postgres cannot be reached."


async def _redis_check(client: redis.asyncio.Redis) -> str:
    with suppress(RedisError, OSError):
        async with asyncio.timeout(READY_TIMEOUT_S):
            await client.ping()
            return "ok"
    return "Redis cannot be reached."
