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
    """Room for `capacity` tokens, each of one sequence. Nothing of it is llama.cpp's to free."""

    def __init__(self, capacity: int, context_length: int):
        self._capacity = capacity
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
        """Of every piece that wants logits, in the caller's order."""

    def fill(self, pieces: Sequence[Piece], ids: Sequence[int]) -> None:
        """Replace what the batch holds; `ids` are the pieces' sequences. Raises DecodeError if that is too much."""
        count = 0
        outputs: dict[int, Output] = {}
        # In the order of their ids: llama_decode splits the batch where an id does not follow the one before.
        for index in sorted(range(len(pieces)), key=ids.__getitem__):
            _, tokens, position, wants_logits, _ = pieces[index]
            end = count + len(tokens)
            if end > self._capacity:
                raise DecodeError(f"A batch of {end} tokens is larger than {self._capacity}.")
            if position + len(tokens) > len(self._all_positions):
                raise DecodeError(f"A sequence of {position + len(tokens)} tokens is longer than the context.")
            self._tokens[count:end] = tokens
            self._positions[count:end] = self._all_positions[position : position + len(tokens)]
            self._ids[count:end] = ids[index]
            self._outputs[count:end] = 0
            if wants_logits:
                self._outputs[end - 1] = 1
                outputs[index] = Output(end - 1, len(outputs))
            count = end
        self.struct.n_tokens = count
        self.outputs = [outputs[index] for index in sorted(outputs)]


def _pointer(array: "np.ndarray[tuple[int], np.dtype[np.generic]]", kind: type) -> object:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))
