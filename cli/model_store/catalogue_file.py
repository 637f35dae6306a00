"""models.toml as the command line writes it: whole or not at all, its comments kept."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from cli.model_store.errors import ModelStoreError
from shared.catalogue import Catalogue, ModelEntry

_WRITTEN = "# The catalogue of the models that Drover can serve; `file` is relative to this folder.\n\n"


class CatalogueFile:
    """models.toml in `folder`. Two commands at once take turns; the running services see either file, whole."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "models.toml"

    def create(self) -> None:
        """Make the folder and an empty models.toml where they are missing. Raises ModelStoreError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._locked():
                if not self.path.exists():
                    self._replace(_WRITTEN)
        except OSError as error:
            raise ModelStoreError(f"{self.folder} cannot be used ({error.strerror}): set DROVER_MODELS_DIR.") from error

    def read(self) -> Catalogue:
        """Raises ConfigurationError for a file that is not valid."""
        return Catalogue.load(self.folder)

    def add(self, entry: ModelEntry) -> None:
        """Raises ModelStoreError if there is a model of that name, ConfigurationError for a file that is not valid."""
        with self._locked(), _as_sentence(self.path):
            if any(known.name == entry.name for known in self.read().all()):
                raise ModelStoreError(taken(entry.name))
            written = self.path.read_text(encoding="utf-8").rstrip("\n")
            document = tomlkit.parse(f"{written}\n\n" if written else "")
            if "models" not in document:
                document["models"] = tomlkit.table(is_super_table=True)
            table = tomlkit.table()
            for field, value in entry.model_dump(exclude={"name"}, exclude_defaults=True).items():
                table.add(field, value)
            document["models"][entry.name] = table
            self._replace(tomlkit.dumps(document))

    def remove(self, name: str) -> None:
        """Raises ConfigurationError for a file that is not valid; a name that is not there is ignored."""
        with self._locked(), _as_sentence(self.path):
            self.read()
            document = tomlkit.parse(self.path.read_text(encoding="utf-8"))
            if name in document.get("models", {}):
                document["models"].remove(name)
                self._replace(tomlkit.dumps(document))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone in the folder, until the block is left or the process dies."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _replace(self, text: str) -> None:
        target = self.path.resolve()
        draft = target.with_name(f".{target.name}.{os.getpid()}.part")
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        try:
            with draft.open("w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), mode)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


def taken(name: str) -> str:
    """The sentence for a name that another model has."""
    return f"models.toml has a model '{name}' already: choose another --name, or `drover models remove {name}` first."


@contextmanager
def _as_sentence(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelStoreError(f"{path} cannot be changed ({error.strerror}).") from error
    except (TOMLKitError, ValueError) as error:  # a ValueError for a [models] that is written as an inline table
        raise ModelStoreError(f"{path} cannot be changed: {error}.") from error
