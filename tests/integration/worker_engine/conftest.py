"""Models for the engine room: the simulated one, and a real GGUF for llama.cpp with random weights."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.catalogue import ModelEntry
from tests.fakes.random_gguf import write_random_gguf
from worker.engine.base import Engine
from worker.engine.llama import LlamaOptions
from worker.engine.llama_factory import LlamaFactory
from worker.engine.simulated import SimulatedFactory, SimulatedOptions
from worker.loaded_model import LoadedModel

CONTEXT_LENGTH = 256
SLOTS = 4
BATCH_TOKENS = 64


@pytest.fixture(scope="session")
def random_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_gguf(tmp_path_factory.mktemp("models") / "random.gguf")


@pytest.fixture
def entry(random_gguf: Path) -> ModelEntry:
    return ModelEntry(name="m", file=random_gguf.name, kind="chat", context_length=CONTEXT_LENGTH)


OpenLlama = Callable[..., Engine]


@pytest.fixture
def open_llama(entry: ModelEntry, random_gguf: Path) -> Iterator[OpenLlama]:
    """Opens the random model with llama.cpp; closed after the test."""
    opened: list[Engine] = []

    def open_it(path: Path = random_gguf, *, kv_unified: bool = False, slots: int = SLOTS) -> Engine:
        options = LlamaOptions(slots=slots, batch_tokens=BATCH_TOKENS, threads=1, kv_unified=kv_unified)
        opened.append(LlamaFactory(options).open(entry, path))
        return opened[-1]

    yield open_it
    for engine in opened:
        engine.close()


@pytest.fixture(params=["llama", "simulated"])
def engine(request: pytest.FixtureRequest, entry: ModelEntry, open_llama: OpenLlama) -> Engine:
    """Each engine in turn."""
    if request.param == "llama":
        return open_llama()
    options = SimulatedOptions(slots=SLOTS, batch_tokens=BATCH_TOKENS, step_ms=1, load_ms=0)
    return SimulatedFactory(options).open(entry, Path("nowhere"))


@pytest.fixture
def model(entry: ModelEntry, engine: Engine) -> Iterator[LoadedModel]:
    """A model with its decode thread, on each engine in turn."""
    loaded = LoadedModel(entry, engine, stall_s=5, prefill_stall_s=60)
    yield loaded
    loaded.close()
