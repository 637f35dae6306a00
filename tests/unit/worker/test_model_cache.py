"""The model cache on simulated models: bytes, uses, pins, loads that wait and loads that fail."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.catalogue import Catalogue, ModelEntry
from shared.errors import (
    DroverError,
    InsufficientMemoryError,
    ModelLoadError,
    ModelNotFoundError,
    ModelUnavailableError,
)
from tests.fakes.sequences import Collector, a_job, a_request
from worker.engine.base import Engine
from worker.engine.simulated import SimulatedFactory, SimulatedOptions
from worker.model_cache import CacheOptions, ModelCache

SIZES = {"small": 10, "medium": 30, "large": 60, "other": 30, "huge": 200}


class SizedFactory(SimulatedFactory):
    """Simulated models of different sizes; loads can be held up or made to fail."""

    def __init__(self) -> None:
        super().__init__(SimulatedOptions(slots=2, step_ms=0, load_ms=0))
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Semaphore(0)
        self.failure: Exception | None = None
        self.loads: list[str] = []

    def needed_bytes(self, entry: ModelEntry, path: Path) -> int:
        return SIZES[entry.name]

    def open(self, entry: ModelEntry, path: Path, on_progress: Callable[[float], None] | None = None) -> Engine:
        self.loads.append(entry.name)
        self.started.release()
        self.gate.wait(10)
        if self.failure:
            raise self.failure
        return super().open(entry, path, on_progress)


@pytest.fixture
def factory() -> SizedFactory:
    return SizedFactory()


@pytest.fixture
def make_cache(factory: SizedFactory, tmp_path: Path) -> Iterator["MakeCache"]:
    with ExitStack() as stack:
        yield MakeCache(factory, tmp_path, stack)


class MakeCache:
    def __init__(self, factory: SizedFactory, folder: Path, stack: ExitStack):
        self._factory, self._folder, self._stack = factory, folder, stack

    def __call__(
        self,
        budget: int = 100,
        *,
        pinned: frozenset[str] = frozenset(),
        max_waiters: int = 8,
        room_wait_s: float = 0.05,
        catalogue: Catalogue | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> ModelCache:
        entries = [ModelEntry(name=name, file=name, kind="chat", context_length=64) for name in SIZES]
        options = CacheOptions(budget_bytes=budget, pinned=pinned, max_waiters=max_waiters, room_wait_s=room_wait_s)
        catalogue = catalogue or Catalogue(entries, self._folder)
        cache = ModelCache(catalogue, self._factory, options, on_change)
        self._stack.callback(cache.close)
        return cache


def load(cache: ModelCache, *names: str) -> None:
    for name in names:
        with cache.use(name):
            pass


def test_a_model_stays_after_its_use(make_cache: MakeCache, factory: SizedFactory) -> None:
    cache = make_cache()

    load(cache, "small", "small")

    assert factory.loads == ["small"]
    assert cache.held_models() == ["small"]
    assert cache.free_bytes() == 90


def test_the_least_recently_used_model_leaves_first(make_cache: MakeCache) -> None:
    cache = make_cache()
    load(cache, "small", "medium", "small")

    load(cache, "large")

    assert cache.held_models() == ["medium", "small", "large"]
    load(cache, "other")
    assert cache.held_models() == ["small", "large", "other"]


def test_only_as_many_models_leave_as_must(make_cache: MakeCache) -> None:
    cache = make_cache(95)
    load(cache, "medium", "small")

    load(cache, "large")

    assert cache.held_models() == ["small", "large"]
    assert cache.free_bytes() == 25


def test_a_model_in_use_is_never_evicted(make_cache: MakeCache) -> None:
    cache = make_cache(80)

    with cache.use("medium") as model, pytest.raises(ModelUnavailableError), cache.use("large"):
        pass

    assert cache.loaded() == [model]
    load(cache, "large")
    assert cache.held_models() == ["large"]


def test_a_load_waits_for_a_model_in_use_to_become_idle(make_cache: MakeCache) -> None:
    cache = make_cache(80, room_wait_s=20)

    with ThreadPoolExecutor(1) as pool:
        with cache.use("medium"):
            waiting = pool.submit(load, cache, "large")
            while not cache.loading():
                threading.Event().wait(0.001)
            assert not waiting.done()
        waiting.result(10)

    assert cache.held_models() == ["large"]


def test_a_retiring_model_leaves_before_the_least_recently_used_one(make_cache: MakeCache) -> None:
    cache = make_cache(95)
    load(cache, "medium", "other")
    cache.retire(["other"])

    load(cache, "large")

    assert cache.held_models() == ["medium", "large"]


def test_a_retiring_model_may_be_kept_after_all(make_cache: MakeCache) -> None:
    cache = make_cache()
    load(cache, "small")

    cache.retire(["small"])
    assert cache.held_models() == []
    cache.keep(["small"])

    assert cache.held_models() == ["small"]


def test_only_idle_models_are_evicted_on_demand(make_cache: MakeCache) -> None:
    cache = make_cache()
    load(cache, "medium")

    with cache.use("small"):
        assert cache.evict(["small", "medium", "nobody"]) == ["medium"]
        assert cache.held_models() == ["small"]
    assert cache.free_bytes() == 90


def test_what_is_held_says_how_long_and_by_whom(make_cache: MakeCache) -> None:
    cache = make_cache(pinned=frozenset({"small"}))

    with cache.use("small"):
        [held] = cache.held()

    assert (held.name, held.needed_bytes, held.users, held.idle_s, held.is_pinned) == ("small", 10, 1, 0.0, True)
    assert cache.held()[0].idle_s < held.kept_s + 10


def test_a_load_tells_its_progress_and_its_end(make_cache: MakeCache, factory: SizedFactory) -> None:
    told: list[dict[str, float]] = []
    caches: list[ModelCache] = []
    cache = make_cache(on_change=lambda: told.append(caches[0].loading()))
    caches.append(cache)

    load(cache, "small")

    assert told == [{"small": 0.0}, {}]


def test_a_model_of_another_kind_is_not_loaded(make_cache: MakeCache, tmp_path: Path) -> None:
    entries = [ModelEntry(name="small", file="small", kind="embedding", context_length=64)]
    cache = make_cache(catalogue=Catalogue(entries, tmp_path))

    with pytest.raises(ModelLoadError, match="makes embeddings"):
        load(cache, "small")


def test_a_file_outside_the_folder_is_not_loaded(make_cache: MakeCache, tmp_path: Path) -> None:
    entries = [ModelEntry(name="small", file="../small", kind="chat", context_length=64)]
    cache = make_cache(catalogue=Catalogue(entries, tmp_path))

    assert [cache.needed_bytes(entries[0]) for _ in range(5)] == [None] * 5
    with pytest.raises(ModelLoadError, match="outside the models folder"):
        load(cache, "small")
    assert cache.pauses()["small"] <= 1, "looking again counts as no further failure"


def test_a_changed_entry_is_loaded_anew_when_the_old_one_is_idle(
    make_cache: MakeCache, factory: SizedFactory, tmp_path: Path
) -> None:
    written = '[models.small]\nfile = "a"\nkind = "chat"\ncontext_length = 64\n'
    (tmp_path / "models.toml").write_text(written)
    catalogue = Catalogue.load(tmp_path)
    cache = make_cache(catalogue=catalogue)
    with cache.use("small") as old:
        (tmp_path / "models.toml").write_text(written.replace("64", "128"))
        end = time.monotonic() + 20
        while catalogue.get("small").context_length == 64 and time.monotonic() < end:
            time.sleep(0.05)
        with cache.use("small") as shared:
            assert shared is old

    with cache.use("small") as new:
        assert new.entry.context_length == 128
    assert factory.loads == ["small", "small"]


def test_a_pinned_model_is_never_evicted(make_cache: MakeCache) -> None:
    cache = make_cache(80, pinned=frozenset({"medium"}))
    load(cache, "medium")

    with pytest.raises(InsufficientMemoryError, match="pinned models hold 30"):
        load(cache, "large")

    assert cache.held_models() == ["medium"]


def test_a_model_larger_than_the_budget_is_refused_and_nothing_evicted(make_cache: MakeCache) -> None:
    cache = make_cache()
    load(cache, "small")

    with pytest.raises(InsufficientMemoryError, match="200 bytes"):
        load(cache, "huge")

    assert cache.held_models() == ["small"]


def test_an_unknown_model_is_not_found(make_cache: MakeCache) -> None:
    with pytest.raises(ModelNotFoundError):
        load(make_cache(), "nobody")


def test_many_who_ask_at_once_get_one_load(make_cache: MakeCache, factory: SizedFactory) -> None:
    cache = make_cache()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: load(cache, "small"), range(8)))

    assert factory.loads == ["small"]


def test_waiters_are_bounded(make_cache: MakeCache, factory: SizedFactory) -> None:
    cache = make_cache(max_waiters=1)
    factory.gate.clear()

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(load, cache, "small")
        factory.started.acquire()
        others = [pool.submit(load, cache, "small") for _ in range(3)]
        done = as_completed(others, timeout=5)
        refused = [next(done).exception(), next(done).exception()]
        factory.gate.set()
        first.result(5)

    assert [type(error) for error in refused] == [ModelUnavailableError] * 2
    assert [other.exception() for other in others].count(None) == 1


def test_two_models_load_at_the_same_time(make_cache: MakeCache, factory: SizedFactory) -> None:
    cache = make_cache()
    factory.gate.clear()

    with ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(load, cache, name) for name in ("small", "medium")]
        factory.started.acquire()
        factory.started.acquire()
        assert cache.held_models() == []
        assert cache.free_bytes() == 60
        factory.gate.set()
        for one in loads:
            one.result(5)

    assert sorted(cache.held_models()) == ["medium", "small"]


@pytest.mark.parametrize("failure", [ModelLoadError("cut off"), RuntimeError("boom")])
def test_all_who_wait_for_a_failed_load_get_its_error(
    make_cache: MakeCache, factory: SizedFactory, failure: Exception
) -> None:
    cache = make_cache()
    factory.gate.clear()
    factory.failure = failure

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(load, cache, "small")
        factory.started.acquire()
        loads = [first, *(pool.submit(load, cache, "small") for _ in range(3))]
        factory.gate.set()
        errors = [one.exception(5) for one in loads]

    assert all(isinstance(error, ModelLoadError) for error in errors)
    assert factory.loads == ["small"]
    assert (cache.held_models(), cache.free_bytes()) == ([], 100)


def test_a_failed_load_is_not_tried_again_at_once(make_cache: MakeCache, factory: SizedFactory) -> None:
    cache = make_cache()
    factory.failure = ModelLoadError("cut off")
    with pytest.raises(ModelLoadError):
        load(cache, "small")

    with pytest.raises(ModelLoadError, match="cut off") as raised:
        load(cache, "small")

    assert raised.value.retry_after_s is not None
    assert factory.loads == ["small"]
    assert 0 < cache.pauses()["small"] <= 1


def test_an_evicted_model_is_closed(make_cache: MakeCache) -> None:
    cache = make_cache(80)
    with cache.use("medium") as model:
        pass

    load(cache, "large")

    with pytest.raises(ModelUnavailableError):
        model.submit(a_request(a_job(), Collector()))


def test_a_closed_cache_holds_nothing_and_lends_nothing(make_cache: MakeCache) -> None:
    cache = make_cache()
    load(cache, "small")

    cache.close()
    cache.close()

    assert cache.held_models() == []
    with pytest.raises(DroverError):
        load(cache, "small")
