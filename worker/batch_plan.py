"""The plan of a batch: which tokens of which sequences the next decode takes."""

from collections.abc import Sequence as Ordered

from worker.engine.base import Engine, Piece
from worker.sequence import Sequence

PROMPT_SHARE_BESIDE_STREAMS = 2
"""While others generate, prompts get one part in so many of a batch: a step is the time that every stream waits for its
next token. A quarter would be dearer on a CPU, where llama.cpp's attention is ten times slower for pieces of 64 tokens
and less (measured: 4,000 tokens in pieces of 512, 256, 128, 64 took 2.4, 2.4, 3.5, 24.7 s of CPU)."""

Batch = list[tuple[Sequence, Piece]]


def plan(running: Ordered[Sequence], engine: Engine) -> Batch:
    """At most one piece per sequence, `engine.batch_tokens` in all; `running` is ordered by admission, all have a slot.

    Sequences that generate come first, so that they never wait for a prompt; prompts fill the rest.
    """
    generating = [sequence for sequence in running if sequence.pending == 1][: engine.batch_tokens]
    prompts = [sequence for sequence in running if sequence.pending > 1]
    batch = [(sequence, _piece(sequence, 1)) for sequence in generating]
    if prompts:
        single = sum(not sequence.wants_rows or sequence.pending == 1 for sequence in running)
        pending = _pending(prompts, engine.output_rows - single)
        room = engine.batch_tokens // (PROMPT_SHARE_BESIDE_STREAMS if generating else 1)
        shares = share_out(pending, min(room, engine.batch_tokens - len(generating)))
        batch += [(sequence, _piece(sequence, share)) for sequence, share in zip(prompts, shares, strict=True) if share]
    return batch


def _pending(prompts: Ordered[Sequence], rows: int) -> list[int]:
    """How many tokens of each prompt may go: all, but of one that needs an output for each only as many as `rows`."""
    pending = []
    for sequence in prompts:
        size = min(sequence.pending, rows) if sequence.wants_rows else sequence.pending
        rows -= size if sequence.wants_rows else 0
        pending.append(size)
    return pending


def share_out(pending: Ordered[int], room: int) -> list[int]:
    """How many tokens of each prompt fit into `room`; the oldest prompt is first.

    Short prompts go first, because their first token is near; half the room is the oldest one's, so that it starves
    behind none of them.
    """
    shares = [0] * len(pending)
    if not pending:
        return shares
    kept = min(pending[0], room // 2)
    room -= kept
    for index in sorted(range(1, len(pending)), key=pending.__getitem__):
        shares[index] = min(pending[index], room)
        room -= shares[index]
    shares[0] = min(pending[0], kept + room)
    return shares


def _piece(sequence: Sequence, share: int) -> Piece:
    start, end = sequence.position, sequence.position + share
    assert sequence.slot is not None
    return Piece(
        sequence.slot, sequence.tokens[start:end], start, end == len(sequence.tokens), wants_all=sequence.wants_rows
    )
