from pathlib import Path

import pytest

from shared.catalogue import Catalogue, ModelEntry
from shared.settings import ConfigurationError
from worker.engine_choice import cache_options, check_settings, engine_factory, hardware
from worker.settings import WorkerSettings

CATALOGUE = Catalogue(
    [
        ModelEntry(name="sim", file="sim.gguf", kind="chat", context_length=64),
        ModelEntry(name="vectors", file="vectors.gguf", kind="embedding", context_length=64),
    ],
    Path("models"),
)


def test_the_simulated_engine_is_chosen_by_its_name() -> None:
    assert engine_factory(WorkerSettings(engine="simulated"), CATALOGUE).name == "simulated"


def test_the_budget_is_detected_unless_it_is_set() -> None:
    assert cache_options(WorkerSettings(gpu_layers=0)).budget_bytes > 0
    assert cache_options(WorkerSettings(model_budget_bytes=5)).budget_bytes == 5


def test_a_chat_model_of_the_catalogue_may_be_preloaded() -> None:
    check_settings(WorkerSettings(preload=("sim",), pinned=("sim",)), CATALOGUE)


@pytest.mark.parametrize("name", ["other", "vectors"])
def test_other_models_may_not(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"WORKER_PRELOAD names {name}"):
        check_settings(WorkerSettings(preload=(name,)), CATALOGUE)


def test_a_batch_smaller_than_the_slots_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="WORKER_BATCH_TOKENS"):
        check_settings(WorkerSettings(slots=32, batch_tokens=16), CATALOGUE)


def test_without_layers_on_the_gpu_its_memory_counts_for_nothing() -> None:
    found = hardware(WorkerSettings(gpu_layers=0))

    assert (found.gpus, found.n_gpu_layers) == ((), 0)
    assert cache_options(WorkerSettings(gpu_layers=0)).budget_bytes == found.host_budget_bytes
