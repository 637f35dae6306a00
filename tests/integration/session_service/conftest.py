"""A migrated database, the service over HTTP, the tenants that call it, and the jobs of their turns."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import httpx
import psycopg
import pytest
import redis.asyncio
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from pydantic import SecretStr

from session_service.app import create_app
from session_service.database import Database
from session_service.keys import MadeKey, create_key
from session_service.schema import migrate
from session_service.settings import SessionSettings
from shared.bodies.keys import Limits
from shared.ledger import AsyncLedger
from tests.fakes.random_gguf import write_random_gguf
from tests.integration.session_service.caller import MODEL, ROOMY, Rows, Turns

INTERNAL_TOKEN = "internal-token-of-the-tests"
CATALOGUE = f"""
[models.{MODEL}]
file = "small-chat.gguf"
kind = "chat"
context_length = 256

[models.{ROOMY}]
file = "small-chat.gguf"
kind = "chat"
context_length = 1024

[models.no-file]
file = "no-file.gguf"
kind = "chat"
context_length = 256

[models.vectors]
file = "vectors.gguf"
kind = "embedding"
context_length = 256
dimensions = 4
"""
TABLES = "usage_records, messages, turns, sessions, api_keys, tenants"


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with one chat model that is there, one whose file is missing, and one that makes vectors."""
    folder = tmp_path_factory.mktemp("models")
    write_random_gguf(folder / "small-chat.gguf")
    (folder / "models.toml").write_text(CATALOGUE)
    return folder


@pytest.fixture(scope="session")
def migrated_url(postgres_url: str) -> Iterator[str]:
    """One migrated database for all tests of this room."""
    name = f"drover_sessions_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    url = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    migrate(url)
    yield url
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def rows(migrated_url: str) -> Rows:
    """The tables, empty."""
    rows = Rows(migrated_url)
    rows.run(f"TRUNCATE {TABLES}")
    return rows


@pytest.fixture
def settings(rows: Rows, redis_url: str, models_dir: Path) -> SessionSettings:
    return SessionSettings(
        database_url=SecretStr(rows.database_url),
        redis_url=redis_url,
        internal_token=SecretStr(INTERNAL_TOKEN),
        key_pepper=SecretStr("pepper of the tests"),
        models_dir=models_dir,
        connect_timeout_s=30,  # tests of what hangs shorten them, a busy machine must not
        statement_timeout_s=30,
        lock_timeout_s=30,
        ledger_timeout_s=30,
        idle_in_transaction_timeout_s=30,
        outbox_idle_s=0.5,
        sweep_interval_s=3600,  # tests sweep by hand
        accept_grace_s=0.01,
    )


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
    async def make(tenant: str = "acme", *, role: Any = "user", **limits: int | None) -> MadeKey:
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
def app(settings: SessionSettings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """The service, without a network between; its outbox consumer does not run."""
    headers = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sessions", headers=headers
    ) as client:
        yield client
    await app.state.parts.database.close()


@pytest.fixture
async def running(app: FastAPI) -> AsyncIterator[None]:
    """The consumer and the sweeper of the service run."""
    async with LifespanManager(app):
        yield


@pytest.fixture
async def session_id(http: httpx.AsyncClient, tenant: str) -> str:
    answer = await http.post("/internal/sessions", json={}, headers={"X-Drover-Tenant": tenant})
    made: str = answer.json()["id"]
    return made


@pytest.fixture
def turns(http: httpx.AsyncClient, ledger: AsyncLedger, redis_url: str, tenant: str, session_id: str) -> Turns:
    return Turns(http, ledger, redis_url, tenant, session_id)
