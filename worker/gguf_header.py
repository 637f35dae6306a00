"""The header of a GGUF file, read with every number checked: llama.cpp ends the whole process over some of them.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. All numbers are little-endian.
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VERSIONS = (2, 3)
MOST_KEYS = 1 << 16
MOST_TENSORS = 1 << 20
MOST_DIMENSIONS = 4
LONGEST_NAME = 1 << 16
KEPT_ITEMS = 4096
"""Of a longer list only the length is kept: vocabularies have some hundred thousand items."""

_STRING, _ARRAY = 8, 9
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}

Value = int | float | bool | str | list[int | float | bool]


class GgufError(Exception):
    """The file is no GGUF file, is cut off, or says of itself what cannot be."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """`values` by key, without lists of strings; `lengths` of all lists; `tensors`: how many there are."""

    values: Mapping[str, Value]
    lengths: Mapping[str, int]
    tensors: int

    @property
    def architecture(self) -> str:
        return self.text("general.architecture")

    def text(self, key: str) -> str:
        """The text of a key, "" if there is none. Raises GgufError if it is no text."""
        value = self.values.get(key, "")
        if not isinstance(value, str):
            raise GgufError(f"{key} is no text")
        return value

    def number(self, key: str, default: int = 0) -> int:
        """A whole number, the largest of a list (one a layer). Raises GgufError for anything else and below 0."""
        value = self.values.get(key, default)
        numbers = value if isinstance(value, list) else [value]
        if not numbers or any(isinstance(one, bool) or not isinstance(one, int) or one < 0 for one in numbers):
            raise GgufError(f"{key} is no count")
        return max(int(one) for one in numbers)

    def of_architecture(self, key: str, default: int = 0) -> int:
        """The number `<architecture>.<key>`, like `number`."""
        return self.number(f"{self.architecture}.{key}", default)


def read_header(path: Path) -> GgufHeader:
    """Raises GgufError, OSError."""
    with path.open("rb") as file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise GgufError("it is empty") from None
        with mapped:
            return _Reader(mapped).header()


class _Reader:
    """A place in the file that moves on with every read. Raises GgufError at the end of the file."""

    def __init__(self, data: mmap.mmap):
        self._data = data
        self._size = len(data)
        self._at = 0

    def header(self) -> GgufHeader:
        if self._take(4) != b"GGUF":
            raise GgufError("it is no GGUF file")
        version, tensors, keys = self._unpack("<I"), self._unpack("<q"), self._unpack("<q")
        if version not in VERSIONS:
            raise GgufError(f"its GGUF version is {version}, known are 2 and 3")
        if not 0 <= keys <= MOST_KEYS or not 0 <= tensors <= MOST_TENSORS:
            raise GgufError(f"it claims {keys:,} keys and {tensors:,} tensors")
        values: dict[str, Value] = {}
        lengths: dict[str, int] = {}
        for _ in range(keys):
            self._read_key(values, lengths)
        last_offset = max((self._tensor_offset() for _ in range(tensors)), default=0)
        if tensors and self._at + last_offset >= self._size:
            raise GgufError("it is cut off: the last tensors are missing")
        return GgufHeader(values, lengths, tensors)

    def _read_key(self, values: dict[str, Value], lengths: dict[str, int]) -> None:
        key = self._string(LONGEST_NAME)
        kind = self._unpack("<I")
        if kind == _STRING:
            values[key] = self._string(self._size)
        elif kind == _ARRAY:
            item_kind, length = self._unpack("<I"), self._unpack("<Q")
            lengths[key] = length
            if item_kind == _STRING:
                self._skip_strings(length)
            else:
                self._read_list(key, item_kind, length, values)
        else:
            values[key] = self._unpack(self._format(key, kind))

    def _read_list(self, key: str, kind: int, length: int, values: dict[str, Value]) -> None:
        form = self._format(key, kind)
        if length * struct.calcsize(form) > self._size:
            raise GgufError(f"{key} claims {length:,} items")
        raw = self._take(length * struct.calcsize(form))
        if length <= KEPT_ITEMS:
            values[key] = [one for (one,) in struct.iter_unpack(form, raw)]

    def _skip_strings(self, length: int) -> None:
        if length * 8 > self._size:
            raise GgufError(f"a list claims {length:,} texts")
        for _ in range(length):
            size = self._unpack("<Q")
            self._at += size
        if self._at > self._size:
            raise GgufError("it is cut off")

    def _tensor_offset(self) -> int:
        self._string(LONGEST_NAME)
        dimensions = self._unpack("<I")
        if dimensions > MOST_DIMENSIONS:
            raise GgufError(f"a tensor claims {dimensions:,} dimensions")
        self._take(8 * dimensions + 4)
        return int(self._unpack("<Q"))

    def _format(self, key: str, kind: int) -> str:
        if kind not in _SCALARS:
            raise GgufError(f"{key[:80]} has the unknown type {kind}")
        return _SCALARS[kind]

    def _string(self, longest: int) -> str:
        length = self._unpack("<Q")
        if length > longest:
            raise GgufError(f"a text claims {length:,} bytes")
        return self._take(length).decode(errors="replace")

    def _unpack(self, form: str) -> int:
        (value,) = struct.unpack(form, self._take(struct.calcsize(form)))
        number: int = value
        return number

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > self._size:
            raise GgufError("it is cut off")
        taken = self._data[self._at : end]
        self._at = end
        return taken
