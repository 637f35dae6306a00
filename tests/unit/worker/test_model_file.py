"""The file of a model is there and is the one that the catalogue means."""

import hashlib
import os
from pathlib import Path

import pytest

from shared.catalogue import ModelEntry
from shared.errors import ModelLoadError
from worker.model_file import FileChecker


def entry() -> ModelEntry:
    return ModelEntry(name="m", file="m.gguf", kind="chat", context_length=64)


def test_a_missing_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="DROVER_MODELS_DIR"):
        FileChecker().size_bytes(entry(), tmp_path / "m.gguf")


def test_the_right_digest_passes(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"weights")

    FileChecker().verify(entry(), path, hashlib.sha256(b"weights").hexdigest().upper())


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"other weights")

    with pytest.raises(ModelLoadError, match=r"not the one in models\.toml"):
        FileChecker().verify(entry(), path, hashlib.sha256(b"weights").hexdigest())


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"weights")
    checker, known = FileChecker(), hashlib.sha256(b"weights").hexdigest()
    checker.verify(entry(), path, known)

    path.write_bytes(b"WEIGHTS")
    os.utime(path, ns=(1, 1))

    with pytest.raises(ModelLoadError):
        checker.verify(entry(), path, known)


def test_a_file_without_a_digest_in_the_catalogue_passes(tmp_path: Path) -> None:
    FileChecker().verify(entry(), tmp_path / "not there", "")
