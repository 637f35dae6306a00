import asyncio
from pathlib import Path

import httpx
import pytest

from embedding_service.model_shelf import ModelShelf
from embedding_service.settings import EmbeddingSettings
from shared.catalogue import Catalogue
from shared.errors import ModelLoadError
from tests.fakes.random_bert_gguf import write_random_bert_gguf

BODY = {"model": "random-bert", "input": "the cat"}


async def test_without_its_file_the_service_says_what_to_do(client: httpx.AsyncClient) -> None:
    ready = await client.get("/readyz")
    response = await client.post("/internal/embeddings", json=BODY)

    assert ready.status_code == 503
    assert "run `make models`" in ready.json()["checks"]["random-bert"]
    assert (response.status_code, response.json()["error"]["code"]) == (503, "model_unavailable")
    assert int(response.headers["retry-after"]) >= 1
    assert (await client.get("/livez")).status_code == 200


async def test_a_file_that_appears_later_is_used_without_a_restart(client: httpx.AsyncClient, models_dir: Path) -> None:
    assert (await client.post("/internal/embeddings", json=BODY)).status_code == 503

    write_random_bert_gguf(models_dir / "random-bert.gguf")

    assert (await client.post("/internal/embeddings", json=BODY)).status_code == 200
    assert (await client.get("/readyz")).json() == {"status": "ok", "checks": {"random-bert": "ok"}}


async def test_a_broken_file_is_reported_and_its_successor_is_used(client: httpx.AsyncClient, models_dir: Path) -> None:
    path = models_dir / "random-bert.gguf"
    path.write_bytes(b"not a model")

    broken = await client.post("/internal/embeddings", json=BODY)
    ready = await client.get("/readyz")
    path.unlink()
    write_random_bert_gguf(path)
    mended = await client.post("/internal/embeddings", json=BODY)

    assert (broken.status_code, broken.json()["error"]["code"]) == (500, "model_load_error")
    assert "random-bert.gguf" in ready.json()["checks"]["random-bert"]
    assert mended.status_code == 200


async def test_a_model_is_loaded_once_however_many_ask(models_dir: Path, model_file: Path) -> None:
    shelf = ModelShelf(Catalogue.load(models_dir), EmbeddingSettings(models_dir=models_dir, threads=1))

    served = await asyncio.gather(*(shelf.get("random-bert") for _ in range(5)))

    assert len(set(map(id, served))) == 1
    await shelf.close()


async def test_a_catalogue_with_the_wrong_dimensions_is_noticed(models_dir: Path, model_file: Path) -> None:
    catalogue = models_dir / "models.toml"
    catalogue.write_text(catalogue.read_text().replace("dimensions = 32", "dimensions = 31"))
    shelf = ModelShelf(Catalogue.load(models_dir), EmbeddingSettings(models_dir=models_dir, threads=1))

    with pytest.raises(ModelLoadError, match="31"):
        await shelf.get("random-bert")


async def test_a_catalogue_without_embedding_models_is_reported(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text("")

    shelf = ModelShelf(Catalogue.load(tmp_path), EmbeddingSettings(models_dir=tmp_path))

    assert shelf.checks() == {"models": "models.toml names no embedding model."}
