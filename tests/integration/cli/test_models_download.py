"""A download that the disk or another command stands in the way of."""

import errno
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from cli.model_store.choice import HubFile
from cli.model_store.digest import Progress, silent
from cli.model_store.download import Download
from cli.model_store.errors import ModelStoreError

CONTENT = bytes(range(256)) * 100
FILE = HubFile("o/r", "m.gguf", len(CONTENT), "c0ffee", sha256=hashlib.sha256(CONTENT).hexdigest())


def fetch_rest(file: HubFile, into: BinaryIO, progress: Progress) -> None:
    into.write(CONTENT[into.seek(0, os.SEEK_END) :])
    progress(file.size_bytes)


def test_a_full_disk_keeps_what_has_come_and_says_how_to_go_on(tmp_path: Path) -> None:
    def run_full(file: HubFile, into: BinaryIO, progress: Progress) -> None:
        into.write(CONTENT[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ModelStoreError, match=r"disk is full at 1\.0 kB of 25\.6 kB: make room"):
        Download(FILE, tmp_path, run_full).run(silent)
    again = Download(FILE, tmp_path, fetch_rest)
    had = again.had_bytes
    again.run(silent)

    assert had == 1000
    assert again.finish(silent) == FILE.sha256
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]


def test_a_second_command_does_not_write_into_the_same_file(tmp_path: Path) -> None:
    said: list[str] = []

    def meanwhile(file: HubFile, into: BinaryIO, progress: Progress) -> None:
        with pytest.raises(ModelStoreError) as refused:
            Download(FILE, tmp_path, fetch_rest).run(silent)
        said.append(str(refused.value))
        fetch_rest(file, into, progress)

    first = Download(FILE, tmp_path, meanwhile)
    first.run(silent)

    assert said == ["Another command is fetching m.gguf already."]
    assert first.finish(silent) == FILE.sha256


def test_a_partial_file_that_is_too_long_is_begun_anew(tmp_path: Path) -> None:
    download = Download(FILE, tmp_path, fetch_rest)
    download.partial.write_bytes(b"x" * (len(CONTENT) + 1))

    download.run(silent)

    assert download.finish(silent) == FILE.sha256


def test_a_file_larger_than_the_disk_is_not_begun(tmp_path: Path) -> None:
    large = HubFile("o/r", "m.gguf", 10**18, "c0ffee", sha256="00")

    with pytest.raises(ModelStoreError, match=r"needs 1000000\.0 TB more, .* has room for"):
        Download(large, tmp_path, fetch_rest).run(silent)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelStoreError, match="cannot be written"):
        Download(FILE, tmp_path / "no" / "such", fetch_rest).run(silent)
