"""The embedding models of the catalogue: loaded once each, at start or when their file or their entry appears."""

import asyncio
from collections import defaultdict
from pathlib import Path
from time import perf_counter

import structlog

from embedding_service.engine import LlamaEmbedder
from embedding_service.micro_batcher import MicroBatcher
from embedding_service.settings import EmbeddingSettings
from shared.catalogue import Catalogue, ModelEntry
from shared.cgroup import allowed_cores, within_cpu_limit
from shared.errors import BadRequestError, ModelLoadError, ModelNotFoundError, ModelUnavailableError
from shared.telemetry import instruments

_log = structlog.get_logger(__name__)

RETRY_AFTER_S = 10.0
"""For a model whose file is missing: somebody must make it first."""


class ServedModel:
    """A loaded model and the thread that runs it."""

    def __init__(self, entry: ModelEntry, embedder: LlamaEmbedder, *, max_waiting_texts: int):
        self.entry = entry
        self.embedder = embedder
        self.batcher = MicroBatcher(
            embedder.embed,
            max_texts=embedder.batch_texts,
            max_tokens=embedder.batch_tokens,
            max_waiting_texts=max_waiting_texts,
            model=entry.name,
        )

    def close(self) -> None:
        self.batcher.close()
        self.embedder.close()


class ModelShelf:
    """Gives models by name. One event loop uses it; loading runs in a thread beside it."""

    def __init__(self, catalogue: Catalogue, settings: EmbeddingSettings):
        self._catalogue = catalogue
        self._settings = settings
        self._served: dict[str, ServedModel] = {}
        self._failures: dict[str, tuple[float, ModelLoadError]] = {}
        self._replaced: list[ServedModel] = []
        """Models whose entry has changed; requests may still use them, so they are closed at the end."""
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._names_at_start = self._names()
        instruments.observe("drover_models_loaded", lambda: [(1, {"model": name}) for name in list(self._served)])
        instruments.observe(
            "drover_embeddings_in_flight",
            lambda: [(served.batcher.in_flight, {"model": name}) for name, served in list(self._served.items())],
        )

    async def get(self, name: str) -> ServedModel:
        """The model of that name, loaded if need be.

        Raises ModelNotFoundError, BadRequestError for a chat model, ModelUnavailableError without its file,
        ModelLoadError if the file cannot be loaded.
        """
        entry = self._catalogue.get(name)
        if entry.kind != "embedding":
            raise BadRequestError(f"'{name}' is a chat model; choose an embedding model.", param="model")
        async with self._locks[name]:
            served = self._served.get(name)
            if served is None or served.entry != entry:
                self._served[name] = await self._load(entry)
                if served is not None:
                    self._replaced.append(served)
            return self._served[name]

    async def load_all(self) -> None:
        """Load every embedding model that can be loaded; `checks` tells about the others."""
        for name in self._names_at_start:
            try:
                await self.get(name)
            except (ModelUnavailableError, ModelLoadError, ModelNotFoundError) as error:
                _log.warning("model_not_loaded", model=name, reason=error.message)

    def checks(self) -> dict[str, str]:
        """For /readyz: "ok" for each loaded model, else what is wrong with it.

        A model that came into the catalogue later is loaded by its first request and keeps nobody waiting until then.
        Without any the service is ready: a stack may serve chat models alone.
        """
        names = self._names()
        if not names:
            return {"models": "ok: models.toml names no embedding model"}
        return {name: self._check(name) for name in names if name in self._names_at_start or name in self._served}

    async def close(self) -> None:
        for served in (*self._served.values(), *self._replaced):
            await asyncio.to_thread(served.close)
        self._served.clear()
        self._replaced.clear()

    def _names(self) -> list[str]:
        return [entry.name for entry in self._catalogue.of_kind("embedding")]

    def _check(self, name: str) -> str:
        if name in self._served:
            return "ok"
        path = self._catalogue.path_of(self._catalogue.get(name))
        if not path.is_file():
            return _missing(path)
        failure = self._failures.get(name)
        return failure[1].message if failure else "The model is loading."

    async def _load(self, entry: ModelEntry) -> ServedModel:
        path = self._catalogue.path_of(entry)
        if not path.is_file():
            raise ModelUnavailableError(_missing(path), param="model", retry_after_s=RETRY_AFTER_S)
        written_at = path.stat().st_mtime
        if entry.name in self._failures and self._failures[entry.name][0] == written_at:
            raise self._failures[entry.name][1]
        try:
            return await asyncio.to_thread(self._load_now, entry, path)
        except ModelLoadError as error:
            self._failures[entry.name] = (written_at, error)
            raise

    def _load_now(self, entry: ModelEntry, path: Path) -> ServedModel:
        started_at = perf_counter()
        embedder = LlamaEmbedder(
            path,
            max_input_tokens=entry.context_length,
            batch_tokens=self._settings.batch_tokens,
            threads=self._settings.threads or _default_threads(),
            gpu_layers=self._settings.gpu_layers,
        )
        if entry.dimensions and entry.dimensions != embedder.dimensions:
            embedder.close()
            raise ModelLoadError(
                f"{path.name} makes vectors of {embedder.dimensions} numbers, models.toml says {entry.dimensions}."
            )
        duration_s = perf_counter() - started_at
        instruments.MODEL_LOAD.record(duration_s, {"model": entry.name})
        _log.info("model_loaded", model=entry.name, duration_s=round(duration_s, 3), dimensions=embedder.dimensions)
        return ServedModel(entry, embedder, max_waiting_texts=self._settings.max_waiting_texts)


def _default_threads() -> int:
    """Half of the cores, within the container's limit.

    llama.cpp's threads wait for each other: on cores that a worker wants too, more of them make a pass slower.
    """
    return within_cpu_limit(allowed_cores() // 2)


def _missing(path: Path) -> str:
    return f"{path} is missing: run `make models`."
