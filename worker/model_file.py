"""The file of a model: there, readable, and the one that the catalogue means."""

import hashlib
from pathlib import Path

from shared.catalogue import ModelEntry
from shared.errors import ModelLoadError


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

    def verify(self, entry: ModelEntry, path: Path) -> None:
        """Compare the file with the catalogue's digest, if it has one. Raises ModelLoadError."""
        if not entry.sha256:
            return
        try:
            seen = path.stat()
            key = (str(path), seen.st_size, seen.st_mtime_ns, entry.sha256)
            if key in self._verified:
                return
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelLoadError(f"The file of model '{entry.name}' cannot be read ({path}).") from error
        if digest != entry.sha256.lower():
            raise ModelLoadError(
                f"The file of model '{entry.name}' is not the one in models.toml: its sha256 begins with "
                f"{digest[:12]}, not {entry.sha256[:12]}. Fetch it again, or correct sha256 there."
            )
        self._verified.add(key)
