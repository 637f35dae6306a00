"""Gateways and a session service as real HTTP servers on ports of their own, a key for each role, a scripted worker."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import httpx
import openai
import psycopg
import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from gateway.app import build_app
from gateway.settings import GatewaySettings
from session_service.database import Database
from session_service.keys import create_key
from session_service.schema import migrate
from session_service.settings import SessionSettings
from shared.bodies.keys import Limits, Role
from tests.fakes.random_gguf import write_random_gguf
from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.waiting import until
from tests.servers import free_port, redis_server

ROOT = Path(__file__).parents[3]
INTERNAL_TOKEN = SecretStr("internal-token-of-the-tests")
PEPPER = SecretStr("pepper of the tests")


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """`app` on uvicorn in a thread; gives its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", ws="none", lifespan="on", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@dataclass(frozen=True)
class Sessions:
    """A session service that runs, and its keys."""

    url: str
    settings: SessionSettings

    def key(self, *, tenant: str = "one", role: Role = "user", **limits: int) -> str:
        return asyncio.run(self._made(tenant, role, Limits(**limits)))

    async def _made(self, tenant: str, role: Role, limits: Limits) -> str:
        database = Database(self.settings)
        try:
            async with database.transaction() as tx:
                pepper = self.settings.key_pepper
                return (await create_key(tx, tenant=tenant, role=role, pepper=pepper, limits=limits)).api_key
        finally:
            await database.close()


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real catalogue; drover-tiny has random weights, for only its vocabulary matters here.

    roomy is the same model with room for the description of tools.
    """
    folder = tmp_path_factory.mktemp("models")
    roomy = '[models.roomy]\nfile = "drover-tiny.gguf"\nkind = "chat"\ncontext_length = 4096\n'
    known = (ROOT / "models" / "models.toml").read_text(encoding="utf-8")
    (folder / "models.toml").write_text(f"{known}\n{roomy}", encoding="utf-8")
    write_random_gguf(folder / "drover-tiny.gguf")
    return folder


@pytest.fixture(scope="session")
def redis_server_url() -> Iterator[str]:
    """A Redis for this room alone: its session service stays and would empty the outbox of other rooms' tests."""
    with redis_server() as url:
        yield url


@pytest.fixture(scope="session")
def sessions(postgres_url: str, redis_server_url: str, models_dir: Path) -> Iterator[Sessions]:
    """The real session service as a process, one for all tests of the gateway."""
    name = f"drover_gateway_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    migrate(url)
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "REDIS_URL": redis_server_url,
        "DROVER_INTERNAL_TOKEN": INTERNAL_TOKEN.get_secret_value(),
        "DROVER_MODELS_DIR": str(models_dir),
        "SESSION_KEY_PEPPER": PEPPER.get_secret_value(),
        "SESSION_PORT": str(port),
        "SESSION_DEFAULT_REQUESTS_PER_MINUTE": "0",
        "SESSION_DEFAULT_CONCURRENT_JOBS": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "session_service.main"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        until(lambda: process.poll() is not None or is_ready(f"http://127.0.0.1:{port}"), timeout_s=90)
        yield Sessions(f"http://127.0.0.1:{port}", SessionSettings(database_url=SecretStr(url), key_pepper=PEPPER))
    finally:
        process.kill()  # a graceful end would wait for connections that are kept alive
        process.wait(30)
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="session")
def api_key(sessions: Sessions) -> str:
    return sessions.key()


@pytest.fixture(scope="session")
def gateway_settings(redis_server_url: str, sessions: Sessions, models_dir: Path) -> dict[str, Any]:
    return {
        "redis_url": redis_server_url,
        "session_service_url": sessions.url,
        "internal_token": INTERNAL_TOKEN,
        "models_dir": models_dir,
        "silence_s": 0.2,
    }


@pytest.fixture(scope="session")
def shared_gateway(gateway_settings: dict[str, Any]) -> Iterator[str]:
    with serving(build_app(GatewaySettings(**gateway_settings))) as url:
        yield url


@pytest.fixture
def gateway(shared_gateway: str, redis_url: str) -> str:
    """A gateway with ordinary settings, and an empty Redis."""
    return shared_gateway


StartGateway = Callable[..., str]


@pytest.fixture
def start_gateway(gateway_settings: dict[str, Any], redis_url: str) -> Iterator[StartGateway]:
    """Starts a gateway with the given settings and gives its URL; all of them end with the test."""
    with ExitStack() as running:

        def start(**settings: Any) -> str:
            return running.enter_context(serving(build_app(GatewaySettings(**{**gateway_settings, **settings}))))

        yield start


@pytest.fixture
def http(gateway: str, api_key: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway, headers={"Authorization": f"Bearer {api_key}"}, timeout=20) as client:
        yield client


@pytest.fixture
def openai_client(gateway: str, api_key: str) -> Iterator[openai.OpenAI]:
    """OpenAI's own client."""
    with openai.OpenAI(base_url=f"{gateway}/v1", api_key=api_key, max_retries=0) as client:
        yield client


@pytest.fixture
def worker(redis_url: str) -> Iterator[ScriptedWorker]:
    with ScriptedWorker(redis_url).at_work() as working:
        yield working
