"""The model catalogue: which models exist, read from models/models.toml."""

import hashlib
import threading
import time
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from shared.errors import ModelNotFoundError
from shared.settings import ConfigurationError

_log = structlog.get_logger(__name__)

LOOK_INTERVAL_S = 1.0
"""A change of the file is noticed after this, on the next access."""

_Signature = tuple[int, int, int]


class Adapter(BaseModel):
    """A LoRA adapter: its file and digest, the digest of the model that it sits on, and how strongly it counts."""

    model_config = ConfigDict(frozen=True)

    file: str
    sha256: str
    base_sha256: str
    scale: float


class ModelEntry(BaseModel):
    """One model. `file` is relative to the models folder; `context_length` in tokens; `sha256` of the file or ''.

    With a `base` it is an adapter (LoRA) on that model: in models.toml `file` and `sha256` are the adapter's, and what
    is not given is the base's. `on_base` makes of it an entry whose `file` has the weights, as everywhere else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: str
    kind: Literal["chat", "embedding"]
    context_length: int = 0
    sha256: str = ""
    owned_by: str = "drover"
    created: int = 0
    description: str = ""
    template: str = ""
    """A named chat template (see shared.templates); '': the one in the GGUF."""
    dimensions: int = 0
    """Length of the vectors of an embedding model."""
    base: str = ""
    scale: float = 1.0
    """How strongly the adapter counts; 0 leaves the base as it is."""
    adapter: Adapter | None = None
    """Set by `on_base`, never in models.toml."""

    @model_validator(mode="after")
    def _has_context(self) -> Self:
        if not self.base and self.context_length < 1:
            raise ValueError(f"the model {self.name} needs a context_length of 1 or more")
        if self.base and self.kind != "chat":
            raise ValueError(f"the model {self.name} has a base, so its kind must be chat")
        return self

    @property
    def weights_sha256(self) -> str:
        """The digest of `file` alone; `sha256` covers base, adapter and scale, so that answers are continued by the
        same model only."""
        return self.adapter.base_sha256 if self.adapter else self.sha256

    def on_base(self, base: "ModelEntry") -> "ModelEntry":
        """This adapter's entry with all that it takes from its base."""
        digest = ""
        if self.sha256 and base.sha256:
            digest = hashlib.sha256(f"{base.sha256} {self.sha256} {self.scale}".lower().encode()).hexdigest()
        taken = {
            "file": base.file,
            "sha256": digest,
            "context_length": self.context_length or base.context_length,
            "template": self.template or base.template,
            "adapter": Adapter(file=self.file, sha256=self.sha256, base_sha256=base.sha256, scale=self.scale),
        }
        return self.model_copy(update=taken)


def with_bases(entries: list[ModelEntry]) -> list[ModelEntry]:
    """The entries, adapters put on their bases. Raises ConfigurationError if a base is not a chat model of its own."""
    bases = {entry.name: entry for entry in entries if entry.kind == "chat" and not entry.base}
    for entry in entries:
        if entry.base and entry.base not in bases:
            raise ConfigurationError(
                f"Model '{entry.name}': its base '{entry.base}' is not a chat model of models.toml."
            )
        if entry.adapter is not None:
            raise ConfigurationError(f"Model '{entry.name}': `adapter` cannot be set, name a base and a file instead.")
    return [entry.on_base(bases[entry.base]) if entry.base else entry for entry in entries]


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
        """Where the model's weights lie; never outside the models folder. Raises ConfigurationError."""
        return self._path_in_folder(entry, entry.file)

    def adapter_path_of(self, entry: ModelEntry) -> Path | None:
        """Where the model's adapter lies, if it has one. Raises ConfigurationError like `path_of`."""
        return self._path_in_folder(entry, entry.adapter.file) if entry.adapter else None

    def _path_in_folder(self, entry: ModelEntry, file: str) -> Path:
        path = (self._models_dir / file).resolve()
        if not path.is_relative_to(self._models_dir):
            raise ConfigurationError(f"Model '{entry.name}': {file} lies outside {self._models_dir}.")
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
        return with_bases([ModelEntry(name=name, **fields) for name, fields in written.models.items()])
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing: set DROVER_MODELS_DIR to the folder that has it.") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, TypeError) as error:
        raise ConfigurationError(f"{path} is not valid: {error}") from error
