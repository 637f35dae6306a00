"""Opening llama.cpp models: what is needed, and every way in which a file can be wrong."""

import hashlib
import logging
import struct
import subprocess
import sys
from pathlib import Path

import gguf
import pytest

from shared.catalogue import Catalogue, ModelEntry
from shared.errors import InsufficientMemoryError, ModelLoadError
from tests.fakes.random_bert_gguf import write_random_bert_gguf
from tests.fakes.random_gguf import Shape, write_random_gguf
from tests.fakes.sequences import Collector, a_job, a_request
from worker.engine.llama import LlamaOptions
from worker.engine.llama_factory import LlamaFactory, Progress, weights_bytes
from worker.gguf_header import GgufError, GgufHeader
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


def test_a_load_tells_its_progress(factory: LlamaFactory, random_gguf: Path) -> None:
    told: list[float] = []

    factory.open(named(random_gguf), random_gguf, told.append).close()

    assert told == sorted(told)
    assert told[-1] == 1.0


def test_an_embedding_model_is_asked_for_no_text(factory: LlamaFactory, tmp_path: Path) -> None:
    pooled = write_random_gguf(tmp_path / "pooled.gguf", pooling=gguf.PoolingType.MEAN)
    bert = write_random_bert_gguf(tmp_path / "bert.gguf")

    for path in (pooled, bert):
        with pytest.raises(ModelLoadError, match="embedding model"):
            factory.open(named(path), path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.block_count", 2**31),
        ("llama.block_count", 0),
        ("llama.attention.head_count", 0),
        ("llama.embedding_length", 2**31 - 1),
        ("llama.embedding_length", 0),
        ("llama.feed_forward_length", 2**31 - 1),
        ("llama.rope.dimension_count", 0),
        ("llama.attention.head_count_kv", 2**31),
        ("llama.attention.head_count_kv", 3),
        ("tokenizer.ggml.bos_token_id", 2**31),
        ("tokenizer.ggml.eos_token_id", 2**32 - 1),
    ],
)
def test_a_file_that_lies_about_itself_is_an_error_and_not_the_end(
    random_gguf: Path, tmp_path: Path, key: str, value: int
) -> None:
    path = tmp_path / "lie.gguf"
    path.write_bytes(with_number(random_gguf.read_bytes(), key, value))
    load = (
        "import sys; from pathlib import Path; from shared.catalogue import ModelEntry; "
        "from shared.errors import DroverError; from worker.engine.llama import LlamaOptions; "
        "from worker.engine.llama_factory import LlamaFactory\n"
        "path = Path(sys.argv[1]); entry = ModelEntry(name='m', file='m', kind='chat', context_length=64)\n"
        "try: LlamaFactory(LlamaOptions(slots=2, batch_tokens=16, threads=1)).open(entry, path).close()\n"
        "except DroverError as error: print(type(error).__name__, error.message)\n"
        "else: print('loaded')"
    )

    ended = subprocess.run([sys.executable, "-c", load, str(path)], capture_output=True, text=True, timeout=60)

    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.startswith(("ModelLoadError", "loaded"))


def with_number(data: bytes, key: str, value: int) -> bytes:
    """The file with another value for a 32-bit number of its metadata."""
    at = data.index(key.encode() + struct.pack("<I", 4)) + len(key) + 4
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


class WithoutGpu(LlamaFactory):
    """Every load with layers on the GPU fails, as it does when the GPU's memory is full."""

    def _load(self, entry: ModelEntry, path: Path, layers: int, on_progress: Progress | None) -> int:
        if layers != 0:
            raise ModelLoadError("out of memory")
        return super()._load(entry, path, layers, on_progress)


def test_a_load_that_fails_on_the_gpu_goes_to_the_cpu(random_gguf: Path) -> None:
    options = LlamaOptions(slots=4, batch_tokens=64, threads=1, n_gpu_layers=-1)

    WithoutGpu(options).open(named(random_gguf), random_gguf).close()


def test_the_cpu_takes_no_model_that_is_larger_than_its_memory(random_gguf: Path) -> None:
    options = LlamaOptions(slots=4, batch_tokens=64, threads=1, n_gpu_layers=-1)

    with pytest.raises(InsufficientMemoryError, match="host's memory"):
        WithoutGpu(options, host_budget_bytes=1000).open(named(random_gguf), random_gguf)


def test_all_parts_of_a_split_file_count(factory: LlamaFactory, tmp_path: Path) -> None:
    header = GgufHeader({"split.count": 2}, {}, 0)
    first, second = (tmp_path / f"m-0000{part}-of-00002.gguf" for part in (1, 2))
    first.write_bytes(b"1" * 10)

    with pytest.raises(GgufError, match="m-00002-of-00002"):
        weights_bytes(first, header)
    second.write_bytes(b"2" * 20)

    assert weights_bytes(first, header) == 30
