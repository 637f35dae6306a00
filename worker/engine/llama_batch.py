"""A llama_batch whose arrays are numpy's, so that a step fills it without a loop over tokens."""

import ctypes
from collections.abc import Sequence

import llama_cpp
import numpy as np

from worker.engine.base import DecodeError, Piece


class LlamaBatch:
    """Room for `capacity` tokens, each of one sequence. Nothing of it is llama.cpp's to free."""

    def __init__(self, capacity: int, context_length: int):
        self._capacity = capacity
        self._tokens = np.zeros(capacity, dtype=np.int32)
        self._positions = np.zeros(capacity, dtype=np.int32)
        self._slots = np.zeros(capacity, dtype=np.int32)
        self._slot_counts = np.ones(capacity, dtype=np.int32)
        self._outputs = np.zeros(capacity, dtype=np.int8)
        self._all_positions = np.arange(context_length, dtype=np.int32)
        slot_type = ctypes.POINTER(llama_cpp.llama_seq_id)
        start, step = self._slots.ctypes.data, self._slots.itemsize
        self._slot_pointers = (slot_type * capacity)(
            *(ctypes.cast(start + index * step, slot_type) for index in range(capacity))
        )
        self.struct = llama_cpp.llama_batch(
            n_tokens=0,
            token=_pointer(self._tokens, llama_cpp.llama_token),
            embd=None,
            pos=_pointer(self._positions, llama_cpp.llama_pos),
            n_seq_id=_pointer(self._slot_counts, ctypes.c_int32),
            seq_id=self._slot_pointers,
            logits=_pointer(self._outputs, ctypes.c_int8),
        )
        self.output_indices: list[int] = []
        """Of every output row, where its token stands in the batch."""

    def fill(self, pieces: Sequence[Piece]) -> None:
        """Replace what the batch holds. Raises DecodeError if it is too much for it."""
        count = 0
        indices = []
        for slot, tokens, position, wants_logits in pieces:
            end = count + len(tokens)
            if end > self._capacity:
                raise DecodeError(f"A batch of {end} tokens is larger than {self._capacity}.")
            self._tokens[count:end] = tokens
            self._positions[count:end] = self._all_positions[position : position + len(tokens)]
            self._slots[count:end] = slot
            self._outputs[count:end] = 0
            if wants_logits:
                self._outputs[end - 1] = 1
                indices.append(end - 1)
            count = end
        self.struct.n_tokens = count
        self.output_indices = indices


def _pointer(array: "np.ndarray[tuple[int], np.dtype[np.generic]]", kind: type) -> object:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))
