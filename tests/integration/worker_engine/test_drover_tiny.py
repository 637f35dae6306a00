"""The demo model through the engine room: real answers, alone and in a full batch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.bodies.messages import Message
from shared.catalogue import Catalogue
from tests.fakes.sequences import Collector, a_job, a_request
from worker.engine.llama import LlamaOptions
from worker.engine.llama_factory import LlamaFactory
from worker.loaded_model import LoadedModel
from worker.model_cache import CacheOptions, ModelCache

NAMES = ["Anna", "Ben", "Clara", "David", "Emma", "Felix"]


@pytest.fixture(scope="module")
def model() -> Iterator[LoadedModel]:
    catalogue = Catalogue.load(Path("models"))
    cache = ModelCache(catalogue, LlamaFactory(LlamaOptions(slots=16)), CacheOptions(budget_bytes=2**30))
    with cache.use("drover-tiny") as loaded:
        yield loaded
    cache.close()


def ask(model: LoadedModel, name: str) -> Collector:
    dialogue = (
        Message(role="user", content=f"Hi, my name is {name}."),
        Message(role="assistant", content=f"Nice to meet you, {name}."),
        Message(role="user", content="What is my name?"),
    )
    collector = Collector()
    job = a_job(f"{name}-{id(collector)}", max_tokens=40).model_copy(update={"messages": dialogue})
    model.submit(a_request(job, collector))
    return collector


def test_every_conversation_in_a_full_batch_keeps_its_own_name(model: LoadedModel) -> None:
    collectors = [(name, ask(model, name)) for name in NAMES * 4]

    for name, collector in collectors:
        assert collector.wait().finish_reason == "stop"
        assert name in collector.text
        assert not [other for other in NAMES if other != name and other in collector.text]
