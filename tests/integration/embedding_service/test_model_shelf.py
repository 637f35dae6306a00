import asyncio
from pathlib import Path

import httpx
import pytest

from embedding_service.model_shelf import ModelShelf
from embedding_service.settings import EmbeddingSettings
from shared.catalogue import Catalogue
from shared.errors import ModelLoadError
from tests.fakes.random_bert_gguf import write_random_bert_gguf
from tests.integration.embedding_service.conftest import running_app

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


async def test_without_embedding_models_the_service_is_ready_and_says_so(models_dir: Path) -> None:
    (models_dir / "models.toml").write_text("")

    async with running_app(models_dir) as client:
        ready = await client.get("/readyz")

    assert (ready.status_code, ready.json()["checks"]) == (200, {"models": "ok: models.toml names no embedding model"})


async def test_a_model_that_is_added_later_is_served_and_keeps_nobody_waiting(
    models_dir: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.catalogue.LOOK_INTERVAL_S", 0.0)
    shelf = ModelShelf(Catalogue.load(models_dir), EmbeddingSettings(models_dir=models_dir, threads=1))
    await shelf.load_all()

    with (models_dir / "models.toml").open("a") as catalogue:
        catalogue.write(f'[models.second]\nfile = "{model_file.name}"\nkind = "embedding"\ncontext_length = 64\n')
    before = shelf.checks()
    served = await shelf.get("second")

    assert before == {"random-bert": "ok"}
    assert served.embedder.dimensions == 32
    assert shelf.checks() == {"random-bert": "ok", "second": "ok"}
    await shelf.close()


async def test_a_model_whose_entry_changes_is_loaded_anew_and_the_old_one_lives_on_for_its_requests(
    models_dir: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.catalogue.LOOK_INTERVAL_S", 0.0)
    shelf = ModelShelf(Catalogue.load(models_dir), EmbeddingSettings(models_dir=models_dir, threads=1))
    old = await shelf.get("random-bert")

    catalogue = models_dir / "models.toml"
    catalogue.write_text(catalogue.read_text().replace("context_length = ", "context_length = 1"))
    new = await shelf.get("random-bert")

    assert new is not old
    assert old.batcher.submit([old.embedder.tokenize("the cat")]).result(timeout=10).shape == (1, 32)
    await shelf.close()
