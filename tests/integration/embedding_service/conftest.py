"""A models folder with a random embedding model, and the application on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from embedding_service.app import create_app
from embedding_service.settings import EmbeddingSettings
from shared.catalogue import Catalogue
from tests.fakes.random_bert_gguf import WIDTH, write_random_bert_gguf

TOKEN = "internal-for-tests"
CATALOGUE = f"""
[models.random-bert]
file = "random-bert.gguf"
kind = "embedding"
context_length = 16
dimensions = {WIDTH}

[models.some-chat]
file = "some-chat.gguf"
kind = "chat"
context_length = 512
"""


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A folder with a catalogue, the model's file not yet in it."""
    (tmp_path / "models.toml").write_text(CATALOGUE)
    return tmp_path


@pytest.fixture
def model_file(models_dir: Path) -> Path:
    """The model of the catalogue."""
    return write_random_bert_gguf(models_dir / "random-bert.gguf")


@asynccontextmanager
async def running_app(models_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A caller that knows the internal token; the application runs in this process."""
    settings = EmbeddingSettings(models_dir=models_dir, internal_token=SecretStr(TOKEN), threads=1, batch_tokens=32)
    app = create_app(settings, Catalogue.load(models_dir))
    async with (
        LifespanManager(app) as running,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(running.app),
            base_url="http://embedding",
            headers={"Authorization": f"Bearer {TOKEN}"},
        ) as client,
    ):
        yield client


@pytest.fixture
async def client(models_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The same, on the catalogue of `models_dir`."""
    async with running_app(models_dir) as client:
        yield client
