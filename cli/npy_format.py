"""Vectors in NumPy's file format, version 1.0 (numpy.lib.format): float32, little-endian, one row a text."""

import struct
from collections.abc import Sequence

_MAGIC = b"\x93NUMPY\x01\x00"
_ALIGNMENT_BYTES = 64


def npy_bytes(vectors: Sequence[Sequence[float]]) -> bytes:
    """A whole file; the vectors are of one length."""
    columns = len(vectors[0]) if vectors else 0
    description = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(vectors)}, {columns}), }}"
    head_bytes = len(_MAGIC) + 2 + len(description) + 1
    header = description + " " * (-head_bytes % _ALIGNMENT_BYTES) + "\n"
    rows = (struct.pack(f"<{columns}f", *vector) for vector in vectors)
    return b"".join([_MAGIC, struct.pack("<H", len(header)), header.encode("ascii"), *rows])
