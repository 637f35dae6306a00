"""The models folder: a file becomes a model, and a model goes again."""

import errno
import os
import shutil
from pathlib import Path

from cli.model_store.catalogue_file import CatalogueFile, taken
from cli.model_store.choice import in_words
from cli.model_store.digest import Progress, copy_with_sha256, sha256_of
from cli.model_store.entry import Origin, Wishes, make_entry, name_of
from cli.model_store.errors import ModelStoreError
from cli.model_store.gguf_header import GgufHeader, read_header
from shared.catalogue import ModelEntry

BUNDLED = ("drover-tiny", "all-minilm-l6-v2")
"""What `make demo` and the tests need."""


class ModelStore:
    """`folder` holds models.toml and the files; both are made when they are missing."""

    def __init__(self, folder: Path):
        """Raises ModelStoreError for a folder that cannot be used."""
        self.folder = folder
        self.catalogue_file = CatalogueFile(folder)
        self.catalogue_file.create()

    def entries(self) -> list[ModelEntry]:
        """Raises ConfigurationError."""
        return self.catalogue_file.read().all()

    def require_possible(self, name: str, wishes: Wishes) -> None:
        """Raises ModelStoreError if a model has that name or the base is none: better before a long download."""
        entries = self.entries()
        if any(entry.name == name for entry in entries):
            raise ModelStoreError(taken(name))
        bases = [entry.name for entry in entries if entry.kind == "chat" and not entry.base]
        if wishes.base and wishes.base not in bases:
            raise ModelStoreError(
                f"models.toml has no chat model '{wishes.base}' to be a base: it has {', '.join(bases)}."
            )

    def path_of(self, entry: ModelEntry) -> Path:
        """The entry's own file, not that of its base. Raises ConfigurationError for a file outside the folder."""
        catalogue = self.catalogue_file.read()
        return catalogue.adapter_path_of(entry) or catalogue.path_of(entry)

    def add(self, source: Path, wishes: Wishes, progress: Progress, *, is_linked: bool = False) -> ModelEntry:
        """Make a model of a file, copied or hard-linked into the folder unless the same file is there already.

        Raises ModelStoreError.
        """
        header = read_header(source)
        name = name_of(wishes, source)
        self.require_possible(name, wishes)
        # Made before the file is copied, so that a file that cannot be served costs no time.
        make_entry(name, source.name, "", header, wishes, Origin())
        try:
            file, sha256 = self._take_in(source.resolve(), progress, is_linked=is_linked)
        except OSError as error:
            raise ModelStoreError(_not_taken_in(source, self.folder, error)) from error
        return self.register(name, file, sha256, header, wishes, Origin())

    def register(
        self, name: str, file: Path, sha256: str, header: GgufHeader, wishes: Wishes, origin: Origin
    ) -> ModelEntry:
        """Write the entry of a file in the folder. Raises ModelStoreError."""
        entry = make_entry(name, str(file.relative_to(self.folder)), sha256, header, wishes, origin)
        self.catalogue_file.add(entry)
        return entry

    def remove(self, entry: ModelEntry, *, keeps_file: bool) -> Path | None:
        """Take the entry out; its file too, unless it is kept or another model has it. The file that is gone.

        Raises ModelStoreError.
        """
        if entry.name in BUNDLED:
            raise ModelStoreError(f"{entry.name} belongs to Drover: `make demo` and the tests need it.")
        if above := [other.name for other in self.entries() if other.base == entry.name]:
            raise ModelStoreError(f"{', '.join(above)} sits on {entry.name}: `drover models remove {above[0]}` first.")
        path = self.path_of(entry)
        self.catalogue_file.remove(entry.name)
        if keeps_file or any(self.path_of(other) == path for other in self.entries()):
            return None
        try:
            path.unlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ModelStoreError(f"{path} is no model any more, but cannot be deleted ({error.strerror}).") from error
        return path

    def _take_in(self, source: Path, progress: Progress, *, is_linked: bool) -> tuple[Path, str]:
        """The file inside the folder, and its sha256. Raises ModelStoreError, OSError."""
        if source.is_relative_to(self.folder):
            return source, sha256_of(source, progress)
        target = self.folder / source.name
        if target.exists():
            sha256 = sha256_of(source, progress)
            if sha256 == sha256_of(target):
                return target, sha256
            raise ModelStoreError(f"{target} is another file: rename {source} first, or move the other one away.")
        draft = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            if is_linked:
                draft.hardlink_to(source)
                sha256 = sha256_of(source, progress)
            else:
                self._require_room(source)
                sha256 = copy_with_sha256(source, draft, progress)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return target, sha256

    def _require_room(self, source: Path) -> None:
        needed, free = source.stat().st_size, shutil.disk_usage(self.folder).free
        if needed > free:
            raise ModelStoreError(
                f"{source.name} needs {in_words(needed)}, {self.folder} has room for {in_words(free)}: make room, or "
                "give --link if it lies on the same disk."
            )


def _not_taken_in(source: Path, folder: Path, error: OSError) -> str:
    if error.errno == errno.EXDEV:
        return f"{source} and {folder} are on different disks: leave --link away, the file is then copied."
    return f"{source} cannot be put into {folder} ({error.strerror})."
