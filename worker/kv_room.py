"""The KV cache's slots: who decodes in which, what the others still hold, and which prompt can go on from that."""

from dataclasses import dataclass
from itertools import count

import numpy as np

from worker.answer import Tokens
from worker.engine.base import Engine
from worker.sequence import Sequence

MIN_SHARED_TOKENS = 16
"""A shorter common prefix is decoded again rather than copied: a copy takes a slot's whole buffer, which costs about as
much as 2 tokens of a prompt at a context of 1,024 (measured, 2 cores) and grows with the context."""

COPIED_TOKENS_WORTH_ONE = 256
"""For large contexts: so many tokens are copied in the time in which one is decoded, with room to spare."""


@dataclass(slots=True)
class _Held:
    """What a slot holds: of a sequence that decodes its prompt, of one that is over all its tokens in the KV."""

    tenant_id: str
    tokens: Tokens
    sequence: Sequence | None
    used: int

    @property
    def size(self) -> int:
        """How many of `tokens` are in the KV."""
        return len(self.tokens) if self.sequence is None else min(len(self.tokens), self.sequence.position)


class KvRoom:
    """Gives sequences their slots, and takes them back with what they hold until somebody needs the room.

    What one tenant's sequences hold is never another's. Used by the decode thread only.
    """

    def __init__(self, engine: Engine):
        self._engine = engine
        self._held: list[_Held | None] = [None] * engine.slots
        self._ticks = count()
        self._min_copied = max(MIN_SHARED_TOKENS, engine.context_length // COPIED_TOKENS_WORTH_ONE)

    @property
    def idle(self) -> int:
        """Slots in which nothing decodes."""
        return sum(held is None or held.sequence is None for held in self._held)

    def is_worth_waiting(self, sequence: Sequence) -> bool:
        """Whether a sequence that decodes its prompt now will soon hold much more of this one's than anybody does."""
        now = coming = 0
        for _, held, shared in self._matches(sequence):
            if held.size >= shared:
                now = max(now, shared)
            else:
                coming = max(coming, shared)
        return coming - now >= self._min_copied

    def enter(self, sequence: Sequence) -> None:
        """Give the sequence an idle slot with as much of its tokens as there is to reuse."""
        source, shared = self._best(sequence)
        slot = self._choose(source, shared)
        reused = shared if source is not None and self._reuse(source, slot, shared) else 0
        if not reused and self._held[slot] is not None:
            self._engine.clear(slot)
        sequence.slot, sequence.position = slot, reused
        self._held[slot] = _Held(sequence.job.tenant_id, sequence.answer.prompt, sequence, next(self._ticks))

    def leave(self, sequence: Sequence, *, keeps: bool = True) -> None:
        """Take the slot back; what it holds stays there for a while if `keeps`."""
        slot = sequence.slot
        if slot is None:
            return
        if keeps and sequence.position:
            tokens = np.asarray(sequence.tokens[: sequence.position], dtype=np.int32)
            self._held[slot] = _Held(sequence.job.tenant_id, tokens, None, next(self._ticks))
            self._engine.rest(slot)
        else:
            self._held[slot] = None
            self._engine.clear(slot)
        sequence.slot, sequence.position = None, 0

    def forget_resting(self) -> bool:
        """Clear every slot in which nothing decodes; whether there was one that held something."""
        resting = [slot for slot, held in enumerate(self._held) if held is not None and held.sequence is None]
        for slot in resting:
            self._held[slot] = None
            self._engine.clear(slot)
        return bool(resting)

    def _matches(self, sequence: Sequence) -> list[tuple[int, _Held, int]]:
        """Slots of the same tenant, and how many of the sequence's first tokens each holds, or soon will."""
        wanted = sequence.reusable
        tenant_id = sequence.job.tenant_id
        return [
            (slot, held, common_prefix(held.tokens, wanted))
            for slot, held in enumerate(self._held)
            if held is not None and held.tenant_id == tenant_id
        ]

    def _best(self, sequence: Sequence) -> tuple[int | None, int]:
        """The slot that holds the longest beginning of the sequence, and how long that is."""
        best: tuple[int | None, int] = (None, 0)
        for slot, held, shared in self._matches(sequence):
            if (usable := min(shared, held.size)) > best[1]:
                best = slot, usable
        return best

    def _choose(self, source: int | None, shared: int) -> int:
        """The idle slot to use: the source's own if it loses little by that, else the one that is missed least."""
        idle = [slot for slot, held in enumerate(self._held) if held is None or held.sequence is None]
        if source in idle:
            held = self._held[source]
            if len(idle) == 1 or (held is not None and 2 * shared >= held.size):
                return source
            idle.remove(source)
        return min(idle, key=lambda slot: -1 if (held := self._held[slot]) is None else held.used)

    def _reuse(self, source: int, slot: int, shared: int) -> bool:
        if slot == source:
            return self._engine.truncate(slot, shared)
        if shared < self._min_copied:
            return False
        self._engine.clear(slot)
        self._held[slot] = None
        return self._engine.copy(source, slot, shared)


def common_prefix(one: Tokens, other: Tokens) -> int:
    """How many first tokens are the same."""
    size = min(len(one), len(other))
    differs = one[:size] != other[:size]
    return int(differs.argmax()) if differs.any() else size
