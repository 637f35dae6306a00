"""A llama_batch whose arrays are allocated once and filled by numpy, without a Python loop over tokens."""

import ctypes
from collections.abc import Sequence

import llama_cpp
import numpy as np


class TokenBatch:
    """Room for `capacity` tokens; token lists become the sequences 0, 1, 2, and so on."""

    def __init__(self, capacity: int):
        self.capacity = capacity
        self._tokens = np.zeros(capacity, np.int32)
        self._positions = np.zeros(capacity, np.int32)
        self._sequences = np.zeros(capacity, np.int32)
        self._sequence_counts = np.ones(capacity, np.int32)
        self._is_output = np.ones(capacity, np.int8)
        # seq_id is an array of pointers; each points at its own token's entry of _sequences, for ever.
        first = self._sequences.ctypes.data
        self._pointers = np.arange(first, first + 4 * capacity, 4, dtype=np.uintp)

    def fill(self, token_lists: Sequence[Sequence[int]]) -> llama_cpp.llama_batch:
        """The batch of these lists, valid until the next fill. They must fit: ValueError otherwise."""
        lengths = [len(tokens) for tokens in token_lists]
        size = sum(lengths)
        if size > self.capacity:
            raise ValueError(f"{size} tokens do not fit into a batch of {self.capacity}")
        start = 0
        for sequence, (tokens, length) in enumerate(zip(token_lists, lengths, strict=True)):
            end = start + length
            self._tokens[start:end] = tokens
            self._positions[start:end] = np.arange(length, dtype=np.int32)
            self._sequences[start:end] = sequence
            start = end
        return llama_cpp.llama_batch(
            n_tokens=size,
            token=_pointer(self._tokens, ctypes.c_int32),
            embd=None,
            pos=_pointer(self._positions, ctypes.c_int32),
            n_seq_id=_pointer(self._sequence_counts, ctypes.c_int32),
            seq_id=_pointer(self._pointers, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(self._is_output, ctypes.c_int8),
        )


def _pointer(array: np.ndarray, kind: type) -> "ctypes._Pointer":  # type: ignore[type-arg]
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))
