"""A llama_batch whose arrays are numpy's, so that a step fills it without a loop over tokens."""

import ctypes
from collections.abc import Sequence
from typing import NamedTuple

import llama_cpp
import numpy as np

from worker.engine.base import DecodeError, Piece


class Output(NamedTuple):
    """An output: where its token stands in the batch, and which row of the logits it is."""

    batch_index: int
    row: int


class LlamaBatch:
    """Room for `capacity` tokens, each of one sequence, and for `output_rows` outputs.

    llama.cpp ends the process when a batch has more outputs than its context was made for, so they are counted here.
    Nothing of the batch is llama.cpp's to free.
    """

    def __init__(self, capacity: int, context_length: int, output_rows: int):
        self._capacity = capacity
        self._output_rows = output_rows
        self._tokens = np.zeros(capacity, dtype=np.int32)
        self._positions = np.zeros(capacity, dtype=np.int32)
        self._ids = np.zeros(capacity, dtype=np.int32)
        self._id_counts = np.ones(capacity, dtype=np.int32)
        self._outputs = np.zeros(capacity, dtype=np.int8)
        self._all_positions = np.arange(context_length, dtype=np.int32)
        id_type = ctypes.POINTER(llama_cpp.llama_seq_id)
        start, step = self._ids.ctypes.data, self._ids.itemsize
        self._id_pointers = (id_type * capacity)(
            *(ctypes.cast(start + index * step, id_type) for index in range(capacity))
        )
        self.struct = llama_cpp.llama_batch(
            n_tokens=0,
            token=_pointer(self._tokens, llama_cpp.llama_token),
            embd=None,
            pos=_pointer(self._positions, llama_cpp.llama_pos),
            n_seq_id=_pointer(self._id_counts, ctypes.c_int32),
            seq_id=self._id_pointers,
            logits=_pointer(self._outputs, ctypes.c_int8),
        )
        self.outputs: list[Output] = []
        """In the caller's order: of every piece and, where it wants all, of every token."""

    def fill(self, pieces: Sequence[Piece], ids: Sequence[int]) -> None:
        """Replace what the batch holds; `ids` are the pieces' sequences. Raises DecodeError if that is too much."""
        count = rows = 0
        first = [Output(0, 0)] * len(pieces)
        # In the order of their ids: llama_decode splits the batch where an id does not follow the one before.
        for index in sorted(range(len(pieces)), key=ids.__getitem__):
            piece = pieces[index]
            end = count + len(piece.tokens)
            if end > self._capacity:
                raise DecodeError(f"A batch of {end} tokens is larger than {self._capacity}.")
            self._fill_piece(piece, ids[index], count, end)
            first[index] = Output(end - piece.rows, rows)
            rows += piece.rows
            count = end
        if rows > self._output_rows:
            raise DecodeError(f"A batch with {rows} outputs has more than {self._output_rows}.")
        self.struct.n_tokens = count
        self.outputs = [
            Output(start.batch_index + offset, start.row + offset)
            for piece, start in zip(pieces, first, strict=True)
            for offset in range(piece.rows)
        ]

    def _fill_piece(self, piece: Piece, sequence_id: int, start: int, end: int) -> None:
        last = piece.position + end - start
        if last > len(self._all_positions):
            raise DecodeError(f"A sequence of {last} tokens is longer than the context.")
        self._tokens[start:end] = piece.tokens
        self._positions[start:end] = self._all_positions[piece.position : last]
        self._ids[start:end] = sequence_id
        self._outputs[start:end] = 0
        self._outputs[end - piece.rows : end] = 1


def _pointer(array: "np.ndarray[tuple[int], np.dtype[np.generic]]", kind: type) -> object:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))
