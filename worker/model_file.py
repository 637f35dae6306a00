"""The file of a model: there, whole, of the right kind, and the one that the catalogue means."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from shared.catalogue import Catalogue, ModelEntry
from shared.errors import ModelLoadError
from shared.settings import ConfigurationError
from worker.gguf_header import GgufError, GgufHeader, read_header

LARGEST = {"block_count": 1024, "attention.head_count": 4096, "embedding_length": 1 << 20, "context_length": 1 << 30}
"""Larger than any model has them; llama.cpp allocates by these numbers before it looks at the tensors."""


def path_of(catalogue: Catalogue, entry: ModelEntry) -> Path:
    """Where the weights of a model lie that can be asked for text. Raises ModelLoadError."""
    if entry.kind != "chat":
        raise ModelLoadError(f"Model '{entry.name}' makes embeddings, no text: ask it by /v1/embeddings.")
    try:
        return catalogue.path_of(entry)
    except ConfigurationError as error:
        raise ModelLoadError(f"The file of model '{entry.name}' lies outside the models folder.") from error


def find_adapter(adapter_path_of: Callable[[ModelEntry], Path | None], entry: ModelEntry) -> Path | None:
    """Where the adapter of an entry lies that has one. Raises ModelLoadError."""
    try:
        path = adapter_path_of(entry)
    except ConfigurationError as error:
        raise ModelLoadError(f"The adapter of model '{entry.name}' lies outside the models folder.") from error
    if entry.adapter is not None and path is None:
        raise ModelLoadError(f"This worker was started without a way to find the adapter of model '{entry.name}'.")
    return path


class FileChecker:
    """Checks files before they are loaded, and remembers which ones it has read through."""

    def __init__(self) -> None:
        self._verified: set[tuple[str, int, int, str]] = set()

    def size_bytes(self, entry: ModelEntry, path: Path) -> int:
        """How large the file is. Raises ModelLoadError if it is missing."""
        try:
            return path.stat().st_size
        except OSError as error:
            raise ModelLoadError(
                f"The file of model '{entry.name}' cannot be read ({path}): put the GGUF there, or set "
                "DROVER_MODELS_DIR to the folder that holds models.toml and the files it names."
            ) from error

    def header(self, entry: ModelEntry, path: Path) -> GgufHeader:
        """What the file says of itself, if that is a model that makes text. Raises ModelLoadError."""
        self.size_bytes(entry, path)
        header = self._read(entry, path)
        try:
            self._check_shape(header)
            pooling = header.of_architecture("pooling_type")
        except GgufError as error:
            raise ModelLoadError(f"Model '{entry.name}' cannot be loaded from {path.name}: {error}.") from error
        if pooling:
            raise ModelLoadError(
                f"Model '{entry.name}' cannot be loaded from {path.name}: it is an embedding model, which makes no "
                'text. Set kind = "embedding" in models.toml.'
            )
        return header

    def check_adapter(self, entry: ModelEntry, path: Path, base: GgufHeader) -> None:
        """Look whether the file is an adapter for that base. Raises ModelLoadError."""
        self.size_bytes(entry, path)
        header = self._read(entry, path)
        try:
            kinds = header.text("general.type"), header.text("adapter.type"), header.architecture
            if not isinstance(header.values.get("adapter.lora.alpha", 0.0), float):
                raise GgufError("adapter.lora.alpha is no fraction")
        except GgufError as error:
            raise ModelLoadError(f"Model '{entry.name}' cannot be loaded from {path.name}: {error}.") from error
        if kinds != ("adapter", "lora", base.architecture):
            raise ModelLoadError(
                f"Model '{entry.name}' cannot be loaded: {path.name} is not a LoRA adapter for "
                f"{base.architecture} models, as '{entry.base}' is one."
            )

    def verify(self, entry: ModelEntry, path: Path, sha256: str) -> None:
        """Compare the file with the catalogue's digest, if it has one. Raises ModelLoadError."""
        if not sha256:
            return
        try:
            seen = path.stat()
            key = (str(path), seen.st_size, seen.st_mtime_ns, sha256)
            if key in self._verified:
                return
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelLoadError(f"The file of model '{entry.name}' cannot be read ({path}).") from error
        if digest != sha256.lower():
            raise ModelLoadError(
                f"The file of model '{entry.name}' is not the one in models.toml: its sha256 begins with "
                f"{digest[:12]}, not {sha256[:12]}. Fetch it again, or correct sha256 there."
            )
        self._verified.add(key)

    def _read(self, entry: ModelEntry, path: Path) -> GgufHeader:
        try:
            return read_header(path)
        except GgufError as error:
            raise ModelLoadError(f"Model '{entry.name}' cannot be loaded from {path.name}: {error}.") from error
        except OSError as error:
            raise ModelLoadError(f"The file of model '{entry.name}' cannot be read ({path}).") from error

    def _check_shape(self, header: GgufHeader) -> None:
        """Raises GgufError for numbers that no model has: llama.cpp divides and allocates by some of them."""
        if not header.architecture:
            raise GgufError("it names no architecture")
        for key, most in LARGEST.items():
            number = header.of_architecture(key)
            if key == "block_count" and not number:
                raise GgufError("it has no layers")
            if number > most:
                raise GgufError(f"its {key} is {number:,}")
        if not header.of_architecture("attention.head_count") and header.of_architecture("attention.head_count_kv"):
            raise GgufError("it has no attention heads")
