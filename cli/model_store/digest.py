"""The digest of a model's file, with somebody told how far it is."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

Progress = Callable[[int], None]
"""Hears how many bytes are done."""

_CHUNK_BYTES = 8 * 1024 * 1024


def silent(_done_bytes: int) -> None:
    """The progress that nobody watches."""


def sha256_of(path: Path, progress: Progress = silent) -> str:
    """In hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        _feed(file, digest.update, progress)
    return digest.hexdigest()


def git_id_of(path: Path, progress: Progress = silent) -> str:
    """What git calls the file's content: the hub gives no other digest of a small file outside its large file store."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        _feed(file, digest.update, progress)
    return digest.hexdigest()


def copy_with_sha256(source: Path, target: Path, progress: Progress = silent) -> str:
    """Copy, and answer the digest of what was copied. Raises OSError."""
    digest = hashlib.sha256()
    with source.open("rb") as file, target.open("wb") as copy:

        def take(chunk: bytes) -> None:
            digest.update(chunk)
            copy.write(chunk)

        _feed(file, take, progress)
    return digest.hexdigest()


def _feed(file: BinaryIO, take: Callable[[bytes], None], progress: Progress) -> None:
    done = 0
    while chunk := file.read(_CHUNK_BYTES):
        take(chunk)
        done += len(chunk)
        progress(done)
