"""A migrated database, the service over HTTP, and the tenants that call it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis.asyncio
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from session_service.app import create_app
from session_service.database import Database
from session_service.keys import MadeKey, create_key
from session_service.schema import migrate
from session_service.settings import SessionSettings
from shared.bodies.keys import Limits
from shared.ledger import AsyncLedger

INTERNAL_TOKEN = "internal-token-of-the-tests"
MODEL = "drover-tiny"
MODELS_DIR = Path(__file__).parents[3] / "models"


@dataclass(frozen=True)
class Rows:
    """Looks into the tables past the service."""

    database_url: str

    def all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]

    def run(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement, values)  # type: ignore[arg-type]


@pytest.fixture
def settings(database_url: str, redis_url: str) -> SessionSettings:
    migrate(database_url)
    return SessionSettings(
        database_url=SecretStr(database_url),
        redis_url=redis_url,
        internal_token=SecretStr(INTERNAL_TOKEN),
        key_pepper=SecretStr("pepper of the tests"),
        models_dir=MODELS_DIR,
        outbox_idle_s=0.5,
        sweep_interval_s=3600,  # tests sweep by hand
        accept_grace_s=0.01,
    )


@pytest.fixture
def rows(settings: SessionSettings) -> Rows:
    return Rows(settings.database_url.get_secret_value())


@pytest.fixture
async def database(settings: SessionSettings) -> AsyncIterator[Database]:
    opened = Database(settings)
    yield opened
    await opened.close()


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def ledger(redis_client: redis.asyncio.Redis) -> AsyncLedger:
    return AsyncLedger(redis_client)


MakeKey = Callable[..., Awaitable[MadeKey]]


@pytest.fixture
def make_key(database: Database, settings: SessionSettings) -> MakeKey:
    async def make(tenant: str = "acme", role: Any = "user", **limits: int | None) -> MadeKey:
        async with database.transaction() as tx:
            return await create_key(tx, tenant=tenant, role=role, pepper=settings.key_pepper, limits=Limits(**limits))

    return make


@pytest.fixture
async def tenant(make_key: MakeKey) -> str:
    return (await make_key("acme")).tenant_id


@pytest.fixture
async def stranger(make_key: MakeKey) -> str:
    return (await make_key("stranger")).tenant_id


@pytest.fixture
async def http(settings: SessionSettings) -> AsyncIterator[httpx.AsyncClient]:
    """The service without a network between; its outbox consumer runs."""
    async with LifespanManager(create_app(settings)) as manager:
        transport = httpx.ASGITransport(manager.app)
        headers = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://sessions", headers=headers) as client:
            yield client


@pytest.fixture
async def session_id(http: httpx.AsyncClient, tenant: str) -> str:
    answer = await http.post("/internal/sessions", json={}, headers={"X-Drover-Tenant": tenant})
    made: str = answer.json()["id"]
    return made
