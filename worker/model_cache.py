"""The model cache: models in memory, least recently used out first, counted in bytes."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from shared.catalogue import Catalogue, ModelEntry
from shared.errors import DroverError, ModelLoadError, ModelUnavailableError
from shared.telemetry import instruments
from worker.engine.base import EngineFactory
from worker.eviction import check_fits, victims
from worker.load_failures import LoadFailures
from worker.loaded_model import LoadedModel
from worker.model_file import path_of
from worker.shelf import HeldModel, Shelf

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """Limits of a cache; `stall_s` and `prefill_stall_s` are passed on to the models it loads.

    `room_wait_s`: so long does a load wait for models in use to become idle.
    """

    budget_bytes: int
    pinned: frozenset[str] = frozenset()
    max_waiters: int = 256
    room_wait_s: float = 10.0
    stall_s: float = 5.0
    prefill_stall_s: float = 60.0


class ModelCache:
    """Holds models within a budget of bytes; thread-safe. `on_change` is called when a load begins or ends."""

    def __init__(
        self,
        catalogue: Catalogue,
        factory: EngineFactory,
        options: CacheOptions,
        on_change: Callable[[], None] = lambda: None,
    ):
        self._catalogue = catalogue
        self._factory = factory
        self._options = options
        self._on_change = on_change
        self._changed = threading.Condition()
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()
        self._closing_bytes = 0
        self._failures = LoadFailures()
        self._needed_bytes: dict[ModelEntry, int] = {}
        self._is_closed = False

    @contextmanager
    def use(self, name: str) -> Iterator[LoadedModel]:
        """The model, loaded if need be (blocks meanwhile), and kept until the block is left.

        Raises ModelNotFoundError, ModelLoadError, InsufficientMemoryError (larger than the budget allows),
        ModelUnavailableError (too many wait for it, or the models in use left no room for too long).
        """
        shelf = self._take(self._catalogue.get(name))
        assert shelf.model is not None
        try:
            yield shelf.model
        finally:
            with self._changed:
                shelf.users -= 1
                shelf.used_at = time.monotonic()
                self._changed.notify_all()

    # --- what it holds

    @property
    def budget_bytes(self) -> int:
        return self._options.budget_bytes

    def held(self) -> list[HeldModel]:
        """The loaded models, least recently used first."""
        now = time.monotonic()
        with self._changed:
            return [
                shelf.described(now, is_pinned=name in self._options.pinned)
                for name, shelf in self._shelves.items()
                if shelf.model is not None
            ]

    def held_models(self) -> list[str]:
        """Names of the loaded models that are to stay, least recently used first."""
        return [held.name for held in self.held() if not held.is_retiring]

    def loading(self) -> dict[str, float]:
        """The models that are being loaded, with the fraction that is done (0 … 1)."""
        with self._changed:
            return {name: shelf.progress for name, shelf in self._shelves.items() if shelf.model is None}

    def loaded(self) -> list[LoadedModel]:
        """The loaded models themselves, to look at them; use `use` to work with one."""
        with self._changed:
            return [shelf.model for shelf in self._shelves.values() if shelf.model is not None]

    def free_bytes(self) -> int:
        """What the budget has left; models that are being loaded are already subtracted."""
        with self._changed:
            return self._free_bytes()

    def needed_bytes(self, entry: ModelEntry) -> int | None:
        """What the model would take; None if its file cannot be used, which is remembered as a failed load."""
        if entry not in self._needed_bytes:
            with self._changed:
                if entry in self._failures.pauses(time.monotonic()):
                    return None
            try:
                self._needed_bytes[entry] = self._factory.needed_bytes(entry, path_of(self._catalogue, entry))
            except DroverError as error:
                with self._changed:
                    self._failures.remember(entry, error, time.monotonic())
                return None
        return self._needed_bytes[entry]

    def pauses(self) -> dict[str, float]:
        """The models that could not be loaded, with the seconds until they are tried again."""
        with self._changed:
            pauses = self._failures.pauses(time.monotonic())
        entries = self._catalogue.all()
        return {entry.name: pause_s for entry, pause_s in pauses.items() if entry in entries}

    # --- what leaves it

    def retire(self, names: Iterable[str]) -> None:
        """Mark models that are to leave: the next room that is needed is theirs, as soon as they are idle."""
        self._mark(names, is_retiring=True)

    def keep(self, names: Iterable[str]) -> None:
        """Take `retire` back; a model that has left is ignored."""
        self._mark(names, is_retiring=False)

    def evict(self, names: Iterable[str]) -> list[str]:
        """Close those of the models that are idle, and say which; blocks until they are closed."""
        with self._changed:
            idle = [name for name in names if name in self._shelves and self._shelves[name].is_idle]
            taken = self._take_out(idle)
        self._close(taken)
        return idle

    def close(self) -> None:
        """Close every model; twice is harmless. Models in use are closed too, their jobs dropped silently."""
        with self._changed:
            self._is_closed = True
            models = [shelf.model for shelf in self._shelves.values() if shelf.model is not None]
            self._shelves.clear()
            self._changed.notify_all()
        for model in models:
            model.close()

    def _mark(self, names: Iterable[str], *, is_retiring: bool) -> None:
        with self._changed:
            for name in names:
                if name in self._shelves:
                    self._shelves[name].is_retiring = is_retiring

    # --- loading

    def _take(self, entry: ModelEntry) -> Shelf:
        """The model's shelf with its model on it and one more user."""
        stale: list[Shelf] = []
        with self._changed:
            if self._is_closed:
                raise ModelUnavailableError
            shelf = self._shelves.get(entry.name)
            if shelf is not None and shelf.is_idle and shelf.entry != entry:  # the catalogue means another file now
                stale, shelf = self._take_out([entry.name]), None
            is_first = shelf is None
            if shelf is None:
                self._failures.check(entry, time.monotonic())
                shelf = self._shelves[entry.name] = Shelf(entry)
            self._shelves.move_to_end(entry.name)
            shelf.users += 1
            if not is_first and shelf.model is None:
                self._join_waiters(shelf)
        self._close(stale)
        if is_first:
            self._load(entry, shelf)
        shelf.loaded.wait()
        if shelf.error is not None:
            raise shelf.error
        return shelf

    def _join_waiters(self, shelf: Shelf) -> None:
        if shelf.waiters >= self._options.max_waiters:
            shelf.users -= 1
            raise ModelUnavailableError("Too many requests wait for this model to be loaded.", retry_after_s=2)
        shelf.waiters += 1

    def _load(self, entry: ModelEntry, shelf: Shelf) -> None:
        """Put the model on its shelf, or the error that all who wait for it get."""
        self._on_change()
        started = time.monotonic()
        try:
            model = self._open(entry, shelf)
        except Exception as error:
            self._give_up(entry, shelf, error)
        else:
            self._put(shelf, model, time.monotonic() - started)
        finally:
            shelf.loaded.set()
            self._on_change()

    def _open(self, entry: ModelEntry, shelf: Shelf) -> LoadedModel:
        def on_progress(done: float) -> None:
            shelf.progress = done

        path = path_of(self._catalogue, entry)
        self._make_room(entry, shelf, self._factory.needed_bytes(entry, path))
        engine = self._factory.open(entry, path, on_progress)
        options = self._options
        return LoadedModel(entry, engine, stall_s=options.stall_s, prefill_stall_s=options.prefill_stall_s)

    def _put(self, shelf: Shelf, model: LoadedModel, seconds: float) -> None:
        with self._changed:
            self._failures.forget(shelf.entry)
            model.load_ended_ns = time.time_ns()
            model.load_began_ns = model.load_ended_ns - round(seconds * 1e9)
            shelf.model = model
            shelf.load_s = seconds
            shelf.loaded_at = shelf.used_at = time.monotonic()
            was_closed = self._is_closed
        if was_closed:
            model.close()
            shelf.error = ModelUnavailableError()
        instruments.MODEL_LOAD.record(seconds, {"model": shelf.entry.name})
        _log.info("model_loaded", model=shelf.entry.name, seconds=round(seconds, 3))

    def _give_up(self, entry: ModelEntry, shelf: Shelf, error: Exception) -> None:
        if not isinstance(error, DroverError):
            _log.error("model_load_failed", model=entry.name, exc_info=error)
            error = ModelLoadError(f"Model '{entry.name}' could not be loaded: {type(error).__name__}.")
        shelf.error = error
        with self._changed:
            if self._shelves.get(entry.name) is shelf:
                del self._shelves[entry.name]
            self._failures.remember(entry, error, time.monotonic())
            self._changed.notify_all()
        _log.warning("model_not_loaded", model=entry.name, reason=error.message)

    # --- room

    def _make_room(self, entry: ModelEntry, shelf: Shelf, needed_bytes: int) -> None:
        """Reserve the bytes; evict idle models if they are needed, and wait for those in use to become idle.

        Raises InsufficientMemoryError, ModelUnavailableError.
        """
        end = time.monotonic() + self._options.room_wait_s
        while True:
            with self._changed:
                if self._is_closed:
                    raise ModelUnavailableError
                self._check_fits(entry, needed_bytes)
                missing = needed_bytes - self._free_bytes()
                if missing <= 0:
                    shelf.needed_bytes = needed_bytes
                    return
                # What is being closed is as good as free: nobody else need leave for it.
                leaving = victims(self._shelves, missing - self._closing_bytes, self._options.pinned)
                if not leaving and not self._changed.wait(end - time.monotonic()):
                    raise ModelUnavailableError("The models in use leave no room for this one now.", retry_after_s=2)
                taken = self._take_out(leaving)
            self._close(taken)

    def _check_fits(self, entry: ModelEntry, needed_bytes: int) -> None:
        pinned = sum(shelf.needed_bytes for name, shelf in self._shelves.items() if name in self._options.pinned)
        check_fits(entry.name, needed_bytes, budget_bytes=self._options.budget_bytes, pinned_bytes=pinned)

    def _take_out(self, names: list[str]) -> list[Shelf]:
        """Take idle models off their shelves; their bytes count until they are closed."""
        taken = [self._shelves.pop(name) for name in names]
        self._closing_bytes += sum(shelf.needed_bytes for shelf in taken)
        return taken

    def _close(self, taken: list[Shelf]) -> None:
        for shelf in taken:
            assert shelf.model is not None
            shelf.model.close()
            with self._changed:
                self._closing_bytes -= shelf.needed_bytes
                self._changed.notify_all()
            instruments.MODEL_EVICTIONS.add(1, {"model": shelf.entry.name})
            _log.info("model_evicted", model=shelf.entry.name)

    def _free_bytes(self) -> int:
        held = sum(shelf.needed_bytes for shelf in self._shelves.values())
        return self._options.budget_bytes - held - self._closing_bytes
