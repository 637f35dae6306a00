"""The header of a GGUF file: what it says about its model, read without its weights.

The format is that of docs/gguf.md in ggml's repository. The `gguf` package is not used here because it believes every
length that the file gives (an array of 2^60 numbers in a file of 100 bytes keeps it busy for ever) and makes objects of
all tokens.
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from cli.model_store.errors import ModelStoreError

Scalar = str | int | float | bool

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_PAIRS = 4096
MAX_TENSORS = 65_536
MAX_KEY_BYTES = 1024
MAX_TEXT_BYTES = 4 * 1024 * 1024
MAX_ITEMS = 8_000_000
"""Of one array; the largest vocabularies have 300,000 tokens and about as many merges."""

_FORMATS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _ARRAY = 8, 9


@dataclass(frozen=True)
class GgufHeader:
    """`values` are the pairs that hold one number or text, `lengths` the lengths of those that hold an array."""

    values: dict[str, Scalar] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """'' when there is no such text."""
        found = self.values.get(key)
        return found if isinstance(found, str) else ""

    def number(self, key: str) -> int:
        """0 when there is no such whole number."""
        found = self.values.get(key)
        return found if isinstance(found, int) else 0


class _DamagedError(Exception):
    """The file breaks off or says what cannot be."""


def read_header(path: Path) -> GgufHeader:
    """Raises ModelStoreError for a file that cannot be read, is no GGUF, or is cut off."""
    try:
        with path.open("rb") as file:
            return _Reader(file, path.stat().st_size).read()
    except OSError as error:
        raise ModelStoreError(f"{path} cannot be read ({error.strerror}).") from error
    except (_DamagedError, UnicodeDecodeError, struct.error) as error:
        raise ModelStoreError(f"{path} is no GGUF file that can be used: {error}.") from error


class _Reader:
    """Walks through a header; never past the file's end, never further than the bounds above."""

    def __init__(self, file: BinaryIO, size_bytes: int):
        self._file = file
        self._size_bytes = size_bytes

    def read(self) -> GgufHeader:
        if self._file.read(4) != MAGIC:
            raise _DamagedError("it does not begin with GGUF")
        version = self._number("<I")
        if version not in VERSIONS:
            raise _DamagedError(f"its version is {version}, not 2 or 3")
        tensors, pairs = self._bounded("<Q", MAX_TENSORS), self._bounded("<Q", MAX_PAIRS)
        if not tensors:
            raise _DamagedError("it has a vocabulary but no weights")
        header = GgufHeader()
        for _ in range(pairs):
            self._read_pair(header)
        self._check_tensors(tensors)
        return header

    def _read_pair(self, header: GgufHeader) -> None:
        key = self._text(MAX_KEY_BYTES)
        kind = self._number("<I")
        if kind == _ARRAY:
            header.lengths[key] = self._skip_array()
        else:
            header.values[key] = self._text(MAX_TEXT_BYTES) if kind == _TEXT else self._scalar(kind)

    def _check_tensors(self, tensors: int) -> None:
        """The last tensor begins inside the file, or the file was cut off."""
        last = 0
        for _ in range(tensors):
            self._text(MAX_KEY_BYTES)
            self._skip(8 * self._bounded("<I", 8) + 4)
            last = max(last, self._number("<Q"))
        if self._file.tell() + last >= self._size_bytes:
            raise _DamagedError("its last weights are missing: it was cut off")

    def _skip_array(self) -> int:
        kind, length = self._number("<I"), self._bounded("<Q", MAX_ITEMS)
        if kind == _TEXT:
            for _ in range(length):
                self._skip(self._number("<Q"))
        else:
            self._skip(length * struct.calcsize(self._format(kind)))
        return length

    def _scalar(self, kind: int) -> Scalar:
        found: Scalar = struct.unpack(self._format(kind), self._take(struct.calcsize(self._format(kind))))[0]
        return found

    def _format(self, kind: int) -> str:
        if kind not in _FORMATS:
            raise _DamagedError(f"it has a value of the unknown kind {kind}")
        return _FORMATS[kind]

    def _text(self, most_bytes: int) -> str:
        return self._take(self._bounded("<Q", most_bytes)).decode()

    def _number(self, form: str) -> int:
        found: int = struct.unpack(form, self._take(struct.calcsize(form)))[0]
        return found

    def _bounded(self, form: str, most: int) -> int:
        found = self._number(form)
        if found > most:
            raise _DamagedError(f"it claims a length of {found}")
        return found

    def _take(self, length: int) -> bytes:
        taken = self._file.read(length)
        if len(taken) != length:
            raise _DamagedError("it breaks off in its header")
        return taken

    def _skip(self, length: int) -> None:
        if self._file.tell() + length > self._size_bytes:
            raise _DamagedError("it breaks off in its header")
        self._file.seek(length, 1)
