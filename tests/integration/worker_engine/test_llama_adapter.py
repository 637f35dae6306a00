"""LoRA adapters on a random model: they change the answer, and only as far as they count."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from shared.catalogue import Catalogue
from shared.errors import ModelLoadError
from tests.fakes.random_gguf import Shape, write_random_gguf
from tests.fakes.random_lora import write_random_lora
from worker.engine.base import Piece
from worker.engine.llama import LlamaEngine, LlamaOptions
from worker.engine.llama_factory import LlamaFactory

OPTIONS = LlamaOptions(slots=2, batch_tokens=32, threads=1)
PROMPT = [5, 9, 40, 41, 42]
TOML = """
[models.base]
file = "base.gguf"
kind = "chat"
context_length = 128
template = "chatml"
sha256 = "{base}"

[models.tuned]
base = "base"
file = "lora.gguf"
kind = "chat"
sha256 = "{lora}"

[models.muted]
base = "base"
file = "lora.gguf"
kind = "chat"
scale = 0.0
"""


class Models:
    """Opens the models of a folder; closed after the test."""

    def __init__(self, folder: Path, stack: ExitStack):
        self.folder = folder
        self._stack = stack

    def write(self, toml: str = TOML) -> Catalogue:
        digests = {name: self._digest(f"{name}.gguf") for name in ("base", "lora")}
        (self.folder / "models.toml").write_text(toml.format(**digests))
        return Catalogue.load(self.folder)

    def open(self, catalogue: Catalogue, name: str) -> LlamaEngine:
        factory = LlamaFactory(OPTIONS, adapter_path_of=catalogue.adapter_path_of)
        entry = catalogue.get(name)
        engine = factory.open(entry, catalogue.path_of(entry))
        assert isinstance(engine, LlamaEngine)
        self._stack.callback(engine.close)
        return engine

    def _digest(self, file: str) -> str:
        path = self.folder / file
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


@pytest.fixture
def models(tmp_path: Path) -> Iterator[Models]:
    write_random_gguf(tmp_path / "base.gguf")
    write_random_lora(tmp_path / "lora.gguf")
    with ExitStack() as stack:
        yield Models(tmp_path, stack)


def logits(engine: LlamaEngine) -> np.ndarray:
    engine.decode([Piece(slot=0, tokens=PROMPT, position=0, wants_logits=True)])
    return np.array(engine.logits(0))


def test_an_adapter_changes_the_answer_and_at_scale_zero_it_does_not(models: Models) -> None:
    catalogue = models.write()

    base, tuned, muted = (logits(models.open(catalogue, name)) for name in ("base", "tuned", "muted"))

    assert not np.allclose(base, tuned, atol=0.1)
    assert np.array_equal(base, muted)


def test_what_is_not_given_is_the_bases(models: Models) -> None:
    base, tuned = (models.write().get(name) for name in ("base", "tuned"))

    assert (tuned.file, tuned.context_length, tuned.template) == (base.file, base.context_length, base.template)
    assert tuned.weights_sha256 == base.sha256


def test_the_digest_covers_base_adapter_and_scale(models: Models) -> None:
    digests = [models.write().get("tuned").sha256]
    digests.append(
        models.write(TOML.replace('sha256 = "{lora}"', 'sha256 = "{lora}"\nscale = 0.5')).get("tuned").sha256
    )
    write_random_lora(models.folder / "lora.gguf", seed=4)
    digests.append(models.write().get("tuned").sha256)
    write_random_gguf(models.folder / "base.gguf", Shape(seed=8))
    digests.append(models.write().get("tuned").sha256)

    assert len(set(digests)) == 4
    assert all(len(digest) == 64 for digest in digests)
    assert models.write().get("muted").sha256 == ""


def test_the_adapters_memory_counts_beside_the_bases(models: Models) -> None:
    catalogue = models.write()
    factory = LlamaFactory(OPTIONS, adapter_path_of=catalogue.adapter_path_of)

    base, tuned = (factory.needed_bytes(entry, catalogue.path_of(entry)) for entry in catalogue.all()[:2])

    assert tuned == base + (models.folder / "lora.gguf").stat().st_size


def test_an_adapter_of_another_file_is_refused(models: Models) -> None:
    catalogue = models.write()
    write_random_lora(models.folder / "lora.gguf", seed=4)

    with pytest.raises(ModelLoadError, match="sha256"):
        models.open(catalogue, "tuned")


@pytest.mark.parametrize("spoil", ["missing", "cut off", "a model", "another architecture", "another shape"])
def test_what_is_no_adapter_for_the_base_is_refused(models: Models, spoil: str) -> None:
    catalogue = models.write()
    path = models.folder / "lora.gguf"
    if spoil == "missing":
        path.unlink()
    elif spoil == "cut off":
        path.write_bytes(path.read_bytes()[:700])
    elif spoil == "a model":
        write_random_gguf(path)
    elif spoil == "another architecture":
        write_random_lora(path, architecture="qwen2")
    else:
        write_random_lora(path, Shape(width=128))

    with pytest.raises(ModelLoadError):
        models.open(catalogue, "muted")
    models.open(catalogue, "base")


def test_an_adapter_outside_the_folder_is_refused(models: Models) -> None:
    catalogue = models.write(
        TOML.replace('file = "lora.gguf"\nkind = "chat"\nscale', 'file = "../l.gguf"\nkind = "chat"\nscale')
    )

    with pytest.raises(ModelLoadError, match="outside the models folder"):
        models.open(catalogue, "muted")
