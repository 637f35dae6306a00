"""Which llama.cpp sequence each slot is, kept so that those that decode lie side by side.

With a KV buffer per sequence llama_decode runs once for every unbroken range of sequence ids in a batch
(split_equal in llama-batch.cpp): 8 scattered sequences would cost up to 8 passes over the weights. So the slots that
decode fill a window of ids, and those that rest lie around it. A move copies one sequence's whole buffer (17 GB/s
measured, 5 ms for 88 MB): less than one pass over the weights of a model with buffers that large.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import llama_cpp


class LlamaSlots:
    """Ids are 0 … slots-1. `memory` is llama.cpp's pointer to the KV cache.

    In a unified cache ids are only tags, and where they lie does not matter.
    """

    def __init__(self, memory: Any, slots: int, *, is_unified: bool = False):
        self._memory = memory
        self._slots = slots
        self._is_unified = is_unified
        self._ids: dict[int, int] = {}
        self._resting: set[int] = set()
        self._has_changed = False

    def packed(self, slots: Sequence[int]) -> list[int]:
        """The ids of these slots, which decode now; an empty one gets a free id."""
        for slot in self._resting.intersection(slots):
            self._wake(slot)
        new = [slot for slot in slots if slot not in self._ids]
        if new or self._has_changed:
            self._pack(new)
            self._has_changed = False
        return [self._ids[slot] for slot in slots]

    def rest(self, slot: int) -> None:
        """The slot keeps what it holds, if it holds anything, and does not decode for now."""
        if slot in self._ids:
            self._resting.add(slot)
            self._has_changed = True

    def clear(self, slot: int) -> None:
        """Forget what the slot holds."""
        self._resting.discard(slot)
        found = self._ids.pop(slot, None)
        if found is not None:
            llama_cpp.llama_memory_seq_rm(self._memory, found, -1, -1)
            self._has_changed = True

    def truncate(self, slot: int, length: int) -> bool:
        """Keep the first `length` tokens, and rest no more. False, and the slot is cleared, where that cannot be done.

        The state of a recurrent model cannot, nor can a window of attention that has lost its beginning.
        """
        found = self._ids.get(slot)
        if found is None:
            return False
        self._wake(slot)  # now, because it may not be in the next batch and must not be lost to it
        is_cut = llama_cpp.llama_memory_seq_rm(self._memory, found, length, -1)
        first = llama_cpp.llama_memory_seq_pos_min(self._memory, found)
        last = llama_cpp.llama_memory_seq_pos_max(self._memory, found)
        if is_cut and (first, last) == (0, length - 1):
            return True
        self.clear(slot)
        return False

    def copy(self, source: int, target: int, length: int) -> bool:
        """Let the empty `target` hold the first `length` tokens of `source`; as truncate."""
        free = self._free()
        if source not in self._ids or not free:
            return False
        self._ids[target] = free[0]
        self._has_changed = True
        llama_cpp.llama_memory_seq_cp(self._memory, self._ids[source], free[0], -1, -1)
        return self.truncate(target, length)

    def holds(self, slot: int) -> bool:
        """Whether the slot has not been lost, or cleared."""
        return slot in self._ids

    def _wake(self, slot: int) -> None:
        self._resting.discard(slot)
        self._has_changed = True

    def _free(self) -> list[int]:
        taken = set(self._ids.values())
        return [one for one in range(self._slots) if one not in taken]

    def _pack(self, new: Sequence[int]) -> None:
        """Give ids to the slots in `new`, and close the gaps between all that decode."""
        active = {one: slot for slot, one in self._ids.items() if slot not in self._resting}
        if self._is_unified:
            return self._ids.update(zip(new, self._free(), strict=False))
        count = len(active) + len(new)
        start = self._window(active, count)
        window = range(start, start + count)
        for one, slot in active.items():
            if one not in window:
                self._move(slot, self._hole(window))
        for slot in new:
            self._ids[slot] = self._hole(window)

    def _window(self, active: dict[int, int], count: int) -> int:
        """Where the window of `count` ids begins that costs the fewest moves."""
        resting = {self._ids[slot] for slot in self._resting}
        gains = [2 * (one in active) - (one in resting) for one in range(self._slots)]
        sums = [0, *accumulate(gains)]
        return max(range(self._slots - count + 1), key=lambda start: (sums[start + count] - sums[start], -start))

    def _hole(self, window: range) -> int:
        """A free id in the window. A slot that rests there makes way, or is lost when no id is free anywhere."""
        free = self._free()
        if inside := [one for one in free if one in window]:
            return inside[0]
        slot, one = next((slot, self._ids[slot]) for slot in sorted(self._resting) if self._ids[slot] in window)
        if free:
            self._move(slot, free[0])
        else:
            self.clear(slot)
        return one

    def _move(self, slot: int, target: int) -> None:
        """The copy itself is made by the next decode, in the order of these calls."""
        origin = self._ids[slot]
        llama_cpp.llama_memory_seq_cp(self._memory, origin, target, -1, -1)
        llama_cpp.llama_memory_seq_rm(self._memory, origin, -1, -1)
        self._ids[slot] = target
