"""Which llama.cpp sequence each slot is, kept without gaps.

With a KV buffer per sequence llama_decode runs once for every unbroken range of sequence ids in a batch
(split_equal in llama-batch.cpp): 8 scattered sequences would cost up to 8 passes over the weights. So ids are given out
from the lowest, and when a sequence in the middle ends, the last one moves into its place.
"""

import heapq
from collections.abc import Sequence
from typing import Any

import llama_cpp


class LlamaSlots:
    """Ids are 0 … slots-1. `memory` is llama.cpp's pointer to the KV cache."""

    def __init__(self, memory: Any, slots: int):
        self._memory = memory
        self._ids: dict[int, int] = {}
        self._free = list(range(slots))  # sorted, so it is a heap

    def packed(self, slots: Sequence[int]) -> list[int]:
        """The ids of these slots, an empty slot gets the lowest free one; before that, the gaps are closed."""
        for slot in slots:
            if slot not in self._ids:
                self._ids[slot] = heapq.heappop(self._free)
        self._pack()
        return [self._ids[slot] for slot in slots]

    def clear(self, slot: int) -> None:
        """Forget what the slot holds."""
        found = self._ids.pop(slot, None)
        if found is not None:
            llama_cpp.llama_memory_seq_rm(self._memory, found, -1, -1)
            heapq.heappush(self._free, found)

    def _pack(self) -> None:
        """Close the gaps. The KV is copied by the next decode: milliseconds, less than one pass over the weights."""
        used = len(self._ids)
        if not self._free or self._free[0] >= used:
            return
        for slot, last in list(self._ids.items()):
            if last >= used:
                target = heapq.heappop(self._free)
                llama_cpp.llama_memory_seq_cp(self._memory, last, target, -1, -1)
                llama_cpp.llama_memory_seq_rm(self._memory, last, -1, -1)
                self._ids[slot] = target
                heapq.heappush(self._free, last)
