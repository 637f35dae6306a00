"""The model catalogue: which models exist, read from models/models.toml."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import ModelNotFoundError
from shared.settings import ConfigurationError


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
    """All models by name."""

    def __init__(self, entries: list[ModelEntry], models_dir: Path):
        self._entries = {entry.name: entry for entry in entries}
        self._models_dir = models_dir.resolve()

    @classmethod
    def load(cls, models_dir: Path) -> "Catalogue":
        """Read `models_dir`/models.toml. Raises ConfigurationError if it is missing or not valid."""
        path = models_dir / "models.toml"
        try:
            written = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
            entries = [ModelEntry(name=name, **fields) for name, fields in written.models.items()]
        except FileNotFoundError as error:
            raise ConfigurationError(f"{path} is missing: set DROVER_MODELS_DIR to the folder that has it.") from error
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read ({error.strerror}).") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError, TypeError) as error:
            raise ConfigurationError(f"{path} is not valid: {error}") from error
        return cls(entries, models_dir)

    def all(self) -> list[ModelEntry]:
        return list(self._entries.values())

    def of_kind(self, kind: Literal["chat", "embedding"]) -> list[ModelEntry]:
        return [entry for entry in self._entries.values() if entry.kind == kind]

    def get(self, name: str) -> ModelEntry:
        """The model of that name. Raises ModelNotFoundError."""
        try:
            return self._entries[name]
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
