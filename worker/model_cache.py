"""The model cache: models in memory, least recently used out first, counted in bytes."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from shared.catalogue import Catalogue, ModelEntry
from shared.errors import DroverError, InsufficientMemoryError, ModelLoadError, ModelUnavailableError
from shared.telemetry import instruments
from worker.engine.base import EngineFactory
from worker.load_failures import LoadFailures
from worker.loaded_model import LoadedModel

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """Limits of a cache; `stall_s` and `prefill_stall_s` are passed on to the models it loads."""

    budget_bytes: int
    pinned: frozenset[str] = frozenset()
    max_waiters: int = 256
    stall_s: float = 5.0
    prefill_stall_s: float = 60.0


@dataclass(slots=True)
class _Shelf:
    """A model's place in the cache: `model` is None while it is being loaded, `needed_bytes` 0 until it is known."""

    needed_bytes: int = 0
    model: LoadedModel | None = None
    error: DroverError | None = None
    users: int = 0
    waiters: int = 0
    loaded: threading.Event = field(default_factory=threading.Event)


class ModelCache:
    """Holds models within a budget of bytes; thread-safe."""

    def __init__(self, catalogue: Catalogue, factory: EngineFactory, options: CacheOptions):
        self._catalogue = catalogue
        self._factory = factory
        self._options = options
        self._lock = threading.Lock()
        self._shelves: OrderedDict[str, _Shelf] = OrderedDict()
        self._closing_bytes = 0
        self._failures = LoadFailures()
        self._is_closed = False

    @contextmanager
    def use(self, name: str) -> Iterator[LoadedModel]:
        """The model, loaded if need be (blocks meanwhile), and kept until the block is left.

        Raises ModelNotFoundError, ModelLoadError, InsufficientMemoryError (larger than the whole budget),
        ModelUnavailableError (too many wait for it, or no room beside the models in use).
        """
        shelf = self._take(self._catalogue.get(name))
        assert shelf.model is not None
        try:
            yield shelf.model
        finally:
            with self._lock:
                shelf.users -= 1

    def held_models(self) -> list[str]:
        """Names of the loaded models, least recently used first."""
        with self._lock:
            return [name for name, shelf in self._shelves.items() if shelf.model is not None]

    def loaded(self) -> list[LoadedModel]:
        """The loaded models themselves, to look at them; use `use` to work with one."""
        with self._lock:
            return [shelf.model for shelf in self._shelves.values() if shelf.model is not None]

    def free_bytes(self) -> int:
        """What the budget has left; models that are being loaded are already subtracted."""
        with self._lock:
            return self._free_bytes()

    def close(self) -> None:
        """Close every model; twice is harmless. Models in use are closed too, their jobs dropped silently."""
        with self._lock:
            self._is_closed = True
            models = [shelf.model for shelf in self._shelves.values() if shelf.model is not None]
            self._shelves.clear()
        for model in models:
            model.close()

    def _take(self, entry: ModelEntry) -> _Shelf:
        """The model's shelf with its model on it and one more user."""
        with self._lock:
            if self._is_closed:
                raise ModelUnavailableError
            shelf = self._shelves.get(entry.name)
            is_first = shelf is None
            if shelf is None:
                self._failures.check(entry.name, time.monotonic())
                shelf = self._shelves[entry.name] = _Shelf()
            self._shelves.move_to_end(entry.name)
            shelf.users += 1
            if not is_first and shelf.model is None:
                self._join_waiters(shelf)
        if is_first:
            self._load(entry, shelf)
        shelf.loaded.wait()
        if shelf.error is not None:
            raise shelf.error
        return shelf

    def _join_waiters(self, shelf: _Shelf) -> None:
        if shelf.waiters >= self._options.max_waiters:
            shelf.users -= 1
            raise ModelUnavailableError("Too many requests wait for this model to be loaded.", retry_after_s=2)
        shelf.waiters += 1

    def _load(self, entry: ModelEntry, shelf: _Shelf) -> None:
        """Put the model on its shelf, or the error that all who wait for it get."""
        started = time.monotonic()
        try:
            model = self._open(entry, shelf)
        except Exception as error:
            self._give_up(entry, shelf, error)
        else:
            self._failures.forget(entry.name)
            with self._lock:
                shelf.model = model
                was_closed = self._is_closed
            if was_closed:
                model.close()
                shelf.error = ModelUnavailableError()
            seconds = time.monotonic() - started
            instruments.MODEL_LOAD.record(seconds)
            _log.info("model_loaded", model=entry.name, seconds=round(seconds, 3))
        finally:
            shelf.loaded.set()

    def _open(self, entry: ModelEntry, shelf: _Shelf) -> LoadedModel:
        path = self._catalogue.path_of(entry)
        self._make_room(entry, shelf, self._factory.needed_bytes(entry, path))
        engine = self._factory.open(entry, path)
        options = self._options
        return LoadedModel(entry, engine, stall_s=options.stall_s, prefill_stall_s=options.prefill_stall_s)

    def _give_up(self, entry: ModelEntry, shelf: _Shelf, error: Exception) -> None:
        if not isinstance(error, DroverError):
            _log.error("model_load_failed", model=entry.name, exc_info=error)
            error = ModelLoadError(f"Model '{entry.name}' could not be loaded: {type(error).__name__}.")
        shelf.error = error
        with self._lock:
            if self._shelves.get(entry.name) is shelf:
                del self._shelves[entry.name]
            if isinstance(error, ModelLoadError):
                self._failures.remember(entry.name, error, time.monotonic())
        _log.warning("model_not_loaded", model=entry.name, reason=error.message)

    def _make_room(self, entry: ModelEntry, shelf: _Shelf, needed_bytes: int) -> None:
        """Reserve the bytes; evict idle models, least recently used first, if they are needed."""
        budget = self._options.budget_bytes
        if needed_bytes > budget:
            raise InsufficientMemoryError(
                f"Model '{entry.name}' needs {needed_bytes:,} bytes, the worker's whole budget is {budget:,}."
            )
        with self._lock:
            victims = self._victims(needed_bytes - self._free_bytes())
            for name in victims:
                self._closing_bytes += self._shelves[name].needed_bytes
            evicted = [(name, self._shelves.pop(name)) for name in victims]
            shelf.needed_bytes = needed_bytes
        for name, victim in evicted:
            assert victim.model is not None
            victim.model.close()
            with self._lock:
                self._closing_bytes -= victim.needed_bytes
            instruments.MODEL_EVICTIONS.add(1)
            _log.info("model_evicted", model=name, needed_by=entry.name)

    def _victims(self, missing_bytes: int) -> list[str]:
        """The models to evict for that many bytes. Raises ModelUnavailableError if those in use leave no room."""
        victims = []
        for name, shelf in self._shelves.items():
            if missing_bytes <= 0:
                break
            if shelf.model is not None and shelf.users == 0 and name not in self._options.pinned:
                victims.append(name)
                missing_bytes -= shelf.needed_bytes
        if missing_bytes > 0:
            raise ModelUnavailableError("The models in use leave no room for this one now.", retry_after_s=2)
        return victims

    def _free_bytes(self) -> int:
        held = sum(shelf.needed_bytes for shelf in self._shelves.values())
        return self._options.budget_bytes - held - self._closing_bytes
