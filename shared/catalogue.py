"""The model catalogue: which models exist, read from models/models.toml."""

import threading
import time
import tomllib
from pathlib import Path
from typing import Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import ModelNotFoundError
from shared.settings import ConfigurationError

_log = structlog.get_logger(__name__)

LOOK_INTERVAL_S = 1.0
"""A change of the file is noticed after this, on the next access."""

_Signature = tuple[int, int, int]


class ModelEntry(BaseModel):
    """One model. `file` is relative to the models folder; `context_length` in tokens; `sha256` of the file or ''."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: str
    kind: Literal["chat", "embedding"]
    context_length: int
    sha256: str = ""
    owned_by: str = "drover"
    created: int = 0
    description: str = ""
    template: str = ""
    """A named chat template (see shared.templates); '': the one in the GGUF."""
    dimensions: int = 0
    """Length of the vectors of an embedding model."""


class _File(BaseModel):
    models: dict[str, dict[str, Any]] = {}


class Catalogue:
    """All models by name; one that was loaded from a file notices when the file changes. Thread-safe."""

    def __init__(self, entries: list[ModelEntry], models_dir: Path):
        self._by_name = {entry.name: entry for entry in entries}
        self._models_dir = models_dir.resolve()
        self._path: Path | None = None
        self._signature: _Signature | None = None
        self._look_at = 0.0
        self._looking = threading.Lock()

    @classmethod
    def load(cls, models_dir: Path) -> "Catalogue":
        """Read `models_dir`/models.toml. Raises ConfigurationError if it is missing or not valid."""
        path = models_dir / "models.toml"
        signature = _signature(path)  # before the file is read: a change in between is then noticed
        catalogue = cls(_read(path), models_dir)
        catalogue._path, catalogue._signature = path, signature
        catalogue._look_at = time.monotonic() + LOOK_INTERVAL_S
        return catalogue

    def all(self) -> list[ModelEntry]:
        return list(self._entries().values())

    def of_kind(self, kind: Literal["chat", "embedding"]) -> list[ModelEntry]:
        return [entry for entry in self._entries().values() if entry.kind == kind]

    def get(self, name: str) -> ModelEntry:
        """The model of that name. Raises ModelNotFoundError."""
        try:
            return self._entries()[name]
        except KeyError:
            raise ModelNotFoundError(
                f"The model '{name}' does not exist; GET /v1/models lists those that do.", param="model"
            ) from None

    def path_of(self, entry: ModelEntry) -> Path:
        """Where the model's file lies; never outside the models folder. Raises ConfigurationError."""
        path = (self._models_dir / entry.file).resolve()
        if not path.is_relative_to(self._models_dir):
            raise ConfigurationError(f"Model '{entry.name}': {entry.file} lies outside {self._models_dir}.")
        return path

    def _entries(self) -> dict[str, ModelEntry]:
        """The entries as the file has them, or had them when it was last valid; one `stat` a second at most."""
        if self._path is not None and time.monotonic() >= self._look_at and self._looking.acquire(blocking=False):
            try:
                self._look_at = time.monotonic() + LOOK_INTERVAL_S
                self._reload(self._path)
            finally:
                self._looking.release()
        return self._by_name

    def _reload(self, path: Path) -> None:
        signature = _signature(path)
        if signature == self._signature:
            return
        self._signature = signature
        try:
            self._by_name = {entry.name: entry for entry in _read(path)}
        except ConfigurationError as error:
            _log.warning("catalogue_not_reloaded", reason=str(error))
        else:
            _log.info("catalogue_reloaded", models=len(self._by_name))


def _signature(path: Path) -> _Signature | None:
    """What changes with the file; None when there is none."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


def _read(path: Path) -> list[ModelEntry]:
    """Raises ConfigurationError."""
    try:
        written = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        return [ModelEntry(name=name, **fields) for name, fields in written.models.items()]
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing: set DROVER_MODELS_DIR to the folder that has it.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, TypeError) as error:
        raise ConfigurationError(f"{path} is not valid: {error}") from error
