"""A file on its way from the hub into the models folder: kept when it breaks, used only when its digest is right."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cli.model_store.choice import HubFile, in_words
from cli.model_store.digest import Progress, git_id_of, sha256_of, silent
from cli.model_store.errors import ModelStoreError

Fetch = Callable[[HubFile, BinaryIO, Progress], None]


class Download:
    """One file of the hub and its place in `folder`. `fetch` is hub.fetch; it may raise and be called again."""

    def __init__(self, file: HubFile, folder: Path, fetch: Fetch):
        self.file = file
        self.target = folder / file.name
        self.partial = folder / f".{file.name}.{file.digest[:12]}.part"
        self._fetch = fetch

    @property
    def had_bytes(self) -> int:
        """What an earlier, broken download has left."""
        return self.partial.stat().st_size if self.partial.exists() else 0

    def find(self, progress: Progress = silent) -> str:
        """The sha256 of the whole file if the folder has it, else ''. Raises ModelStoreError for another file there."""
        if not self.target.exists():
            return ""
        if self.target.stat().st_size == self.file.size_bytes and self._is_right(self.target, progress):
            return self.file.sha256 or sha256_of(self.target)
        raise ModelStoreError(
            f"{self.target} exists and is not the file of {self.file.repo}: move it away, then give the same command "
            "again."
        )

    def run(self, progress: Progress) -> None:
        """Fetch what is missing. Raises ModelStoreError; what has come until then is kept."""
        try:
            with self._opened() as into:
                if self.had_bytes > self.file.size_bytes:
                    into.truncate(0)
                self._require_room()
                self._fetch(self.file, into, progress)
                into.flush()
                os.fsync(into.fileno())
        except OSError as error:
            raise ModelStoreError(self._disk_sentence(error)) from error

    def finish(self, progress: Progress) -> str:
        """Compare the digest and put the file in its place; its sha256. Raises ModelStoreError and forgets the file."""
        if not self._is_right(self.partial, progress):
            self.partial.unlink()
            raise ModelStoreError(
                f"What came is not the file that {self.file.repo} describes (its digest differs); it was deleted: give "
                "the same command again."
            )
        sha256 = self.file.sha256 or sha256_of(self.partial)
        self.partial.replace(self.target)
        return sha256

    def _is_right(self, path: Path, progress: Progress) -> bool:
        if self.file.sha256:
            return sha256_of(path, progress) == self.file.sha256
        return git_id_of(path, progress) == self.file.git_id

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The partial file, for this process alone."""
        descriptor = os.open(self.partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "r+b") as file:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ModelStoreError(f"Another command is fetching {self.file.name} already.") from error
            yield file

    def _require_room(self) -> None:
        missing = self.file.size_bytes - self.had_bytes
        free = shutil.disk_usage(self.target.parent).free
        if missing > free:
            raise ModelStoreError(
                f"{self.file.name} needs {in_words(missing)} more, {self.target.parent} has room for {in_words(free)}: "
                "make room, or set DROVER_MODELS_DIR to a larger disk."
            )

    def _disk_sentence(self, error: OSError) -> str:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return (
                f"The disk is full at {in_words(self.had_bytes)} of {in_words(self.file.size_bytes)}: make room, then "
                "give the same command again; it goes on from there."
            )
        if error.errno is None:  # the library's own, for a size that does not fit
            return f"{self.file.name} came with another length than the hub says: give the same command again."
        return f"{self.partial} cannot be written ({error.strerror})."
