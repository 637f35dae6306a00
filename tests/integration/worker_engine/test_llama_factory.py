"""Opening llama.cpp models: what is needed, and every way in which a file can be wrong."""

import hashlib
import logging
from pathlib import Path

import pytest

from shared.catalogue import Catalogue, ModelEntry
from shared.errors import ModelLoadError
from tests.fakes.random_gguf import Shape, write_random_gguf
from tests.fakes.sequences import Collector, a_job, a_request
from worker.engine.llama import LlamaOptions
from worker.engine.llama_factory import LlamaFactory
from worker.model_cache import CacheOptions, ModelCache

OPTIONS = LlamaOptions(slots=4, batch_tokens=64, threads=1)


@pytest.fixture
def factory() -> LlamaFactory:
    return LlamaFactory(OPTIONS)


def named(path: Path, **fields: object) -> ModelEntry:
    values = {"name": path.stem, "file": path.name, "kind": "chat", "context_length": 256} | fields
    return ModelEntry.model_validate(values)


def test_needed_bytes_count_the_file_and_the_kv_of_every_slot(factory: LlamaFactory, tmp_path: Path) -> None:
    path = write_random_gguf(tmp_path / "m.gguf", Shape(layers=3, width=64))

    needed = factory.needed_bytes(named(path), path)

    kv_bytes = 3 * 64 * 2 * 2 * 256 * 4  # layers, width, keys and values, float16, context, slots
    logits_bytes = 266 * 4 * OPTIONS.output_rows
    assert needed == path.stat().st_size + kv_bytes + logits_bytes


def test_a_missing_file_says_what_to_do(factory: LlamaFactory, tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"

    with pytest.raises(ModelLoadError, match="put the GGUF there"):
        factory.needed_bytes(named(path), path)
    with pytest.raises(ModelLoadError, match="put the GGUF there"):
        factory.open(named(path), path)


@pytest.mark.parametrize(("keep", "noise"), [(0.5, b""), (0.9, b""), (0.0, b"not a model"), (0.0, b"GGUF\x03\0\0\0")])
def test_a_broken_file_is_an_error_that_names_the_cause(
    factory: LlamaFactory, random_gguf: Path, tmp_path: Path, keep: float, noise: bytes
) -> None:
    whole = random_gguf.read_bytes()
    path = tmp_path / "broken.gguf"
    path.write_bytes(noise + whole[: int(len(whole) * keep)])

    with pytest.raises(ModelLoadError, match=r"broken\.gguf: .{10}"):
        factory.open(named(path), path)


def test_a_file_with_another_digest_is_not_loaded(factory: LlamaFactory, random_gguf: Path) -> None:
    with pytest.raises(ModelLoadError, match="sha256"):
        factory.open(named(random_gguf, sha256="0" * 64), random_gguf)

    right = hashlib.sha256(random_gguf.read_bytes()).hexdigest()
    factory.open(named(random_gguf, sha256=right), random_gguf).close()


def test_a_broken_model_leaves_the_others_serving(factory: LlamaFactory, tmp_path: Path) -> None:
    good = write_random_gguf(tmp_path / "good.gguf")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(good.read_bytes()[:90_000])
    catalogue = Catalogue([named(good), named(broken)], tmp_path)
    cache = ModelCache(catalogue, factory, CacheOptions(budget_bytes=2**30))
    collector = Collector()

    with cache.use("good") as model, pytest.raises(ModelLoadError), cache.use("broken"):
        pass
    model.submit(a_request(a_job(), collector))

    assert collector.wait().finish_reason in ("length", "stop")
    assert cache.held_models() == ["good"]
    cache.close()


def test_llama_cpp_speaks_through_logging(
    factory: LlamaFactory, random_gguf: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG, logger="llama.cpp"):
        factory.open(named(random_gguf), random_gguf).close()

    assert any("llama" in record.message for record in caplog.records)
    assert {record.levelno for record in caplog.records} <= {logging.DEBUG, logging.WARNING}
    assert capfd.readouterr().err == ""


def test_a_batch_too_small_for_the_slots_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="batch_tokens"):
        LlamaFactory(LlamaOptions(slots=16, batch_tokens=8))
