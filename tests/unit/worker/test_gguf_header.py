"""The header of a GGUF file is read with every number checked."""

import struct
from pathlib import Path

import pytest

from worker.gguf_header import GgufError, read_header


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def gguf(*keys: bytes, tensors: int = 0, count: int | None = None, version: int = 3) -> bytes:
    head = struct.pack("<Iqq", version, tensors, len(keys) if count is None else count)
    return b"GGUF" + head + b"".join(keys)


def numbers(kind: int, form: str, *values: int) -> bytes:
    return struct.pack("<IQ", kind, len(values)) + struct.pack(f"<{len(values)}{form}", *values)


ARCHITECTURE = key("general.architecture", 8, text("llama"))


def read(folder: Path, data: bytes) -> object:
    path = folder / "m.gguf"
    path.write_bytes(data)
    return read_header(path)


def test_values_are_read_by_their_keys(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(
        gguf(
            ARCHITECTURE,
            key("llama.block_count", 4, struct.pack("<I", 12)),
            key("llama.attention.head_count_kv", 9, numbers(4, "I", 2, 8, 4)),
            key("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text("bc")),
            key("general.is_fine", 7, b"\1"),
        )
    )

    header = read_header(path)

    assert header.architecture == "llama"
    assert header.of_architecture("block_count") == 12
    assert header.of_architecture("attention.head_count_kv") == 8
    assert header.of_architecture("nothing", 7) == 7
    assert header.lengths["tokenizer.ggml.tokens"] == 2
    assert header.values["general.is_fine"] is True


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "empty"),
        (b"GGU", "cut off"),
        (b"not a model at all", "no GGUF"),
        (gguf(version=1), "version is 1"),
        (gguf(version=0x03000000), "version"),
        (gguf(count=2**40), "keys"),
        (gguf(count=-1), "keys"),
        (gguf(tensors=2**40), "tensors"),
        (gguf(count=3), "cut off"),
        (gguf(struct.pack("<Q", 2**62)), "text claims"),
        (gguf(key("k", 9, struct.pack("<IQ", 4, 2**62))), "claims"),
        (gguf(key("k", 9, struct.pack("<IQ", 8, 2**62))), "claims"),
        (gguf(key("k", 9, struct.pack("<IQ", 8, 1) + struct.pack("<Q", 2**62))), "cut off"),
        (gguf(key("k", 9, struct.pack("<IQ", 9, 1))), "unknown type"),
        (gguf(key("k", 99, b"")), "unknown type"),
        (gguf(tensors=1) + text("t") + struct.pack("<I", 5), "dimensions"),
        (gguf(tensors=1) + text("t") + struct.pack("<IqIQ", 1, 8, 0, 10_000), "cut off"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, data: bytes, cause: str) -> None:
    with pytest.raises(GgufError, match=cause):
        read(tmp_path, data)


@pytest.mark.parametrize(
    "lie", [key("llama.block_count", 8, text("many")), key("llama.block_count", 5, struct.pack("<i", -1))]
)
def test_a_count_that_is_no_count_is_refused(tmp_path: Path, lie: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(ARCHITECTURE, lie))

    with pytest.raises(GgufError, match="no count"):
        read_header(path).of_architecture("block_count")


def test_an_architecture_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(key("general.architecture", 4, struct.pack("<I", 1))))

    with pytest.raises(GgufError, match="no text"):
        _ = read_header(path).architecture
