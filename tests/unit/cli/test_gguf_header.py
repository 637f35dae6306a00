import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cli.model_store.errors import ModelStoreError
from cli.model_store.gguf_header import read_header
from tests.fakes.random_gguf import Shape, write_random_gguf


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_gguf(tmp_path_factory.mktemp("gguf") / "m.gguf", Shape(context_length=1234))


def test_numbers_texts_and_lengths_are_read(gguf: Path) -> None:
    header = read_header(gguf)

    assert header.text("general.architecture") == "llama"
    assert header.number("llama.context_length") == 1234
    assert header.values["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-5)
    assert header.lengths["tokenizer.ggml.tokens"] == 266
    assert "im_start" in header.text("tokenizer.chat_template")
    assert (header.text("no.such"), header.number("no.such")) == ("", 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "does not begin"),
        (b"PK\x03\x04", "does not begin"),
        (struct.pack("<4sIQQ", b"GGUF", 1, 1, 0), "version is 1"),
        (struct.pack(">4sIQQ", b"GGUF", 3, 1, 0), "version is"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 0), "no weights"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 2**63, 0), "claims a length"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 1, 2**40), "claims a length"),
        (struct.pack("<4sIQQQ", b"GGUF", 3, 1, 1, 2**60), "claims a length"),
        (struct.pack("<4sIQQQ1sII", b"GGUF", 3, 1, 1, 1, b"k", 9, 0) + struct.pack("<Q", 2**60), "claims a length"),
        (struct.pack("<4sIQQQ1sII", b"GGUF", 3, 1, 1, 1, b"k", 9, 9) + struct.pack("<Q", 1), "unknown kind 9"),
        (struct.pack("<4sIQQQ1sII", b"GGUF", 3, 1, 1, 1, b"k", 9, 8) + struct.pack("<QQ", 1, 2**63), "breaks off"),
        (struct.pack("<4sIQQQ1sI", b"GGUF", 3, 1, 1, 1, b"k", 77), "unknown kind 77"),
        (struct.pack("<4sIQQQ1s", b"GGUF", 3, 1, 1, 1, b"\xff"), "utf-8"),
    ],
)
def test_a_file_that_lies_is_refused_at_once(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)

    with pytest.raises(ModelStoreError, match=words):
        read_header(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelStoreError, match="cannot be read"):
        read_header(tmp_path / "no.gguf")


@given(at=some.integers(0, 9000), byte=some.integers(0, 255), keep=some.integers(0, 20_000))
def test_whatever_is_changed_or_cut_off_the_reader_ends(gguf: Path, at: int, byte: int, keep: int) -> None:
    content = bytearray(gguf.read_bytes())
    content[at] = byte
    path = gguf.with_name("changed.gguf")
    path.write_bytes(content[:keep])

    with suppress(ModelStoreError):
        read_header(path)
