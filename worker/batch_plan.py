"""The plan of a batch: which tokens of which sequences the next decode takes."""

from collections.abc import Sequence as Ordered

from worker.engine.base import Piece
from worker.sequence import Sequence


def plan(running: Ordered[Sequence], batch_tokens: int) -> list[tuple[Sequence, Piece]]:
    """At most one piece per sequence, `batch_tokens` in all; `running` is ordered by admission, all have a slot.

    Sequences that generate come first, so that they never wait for a prompt; prompts fill the rest.
    """
    generating = [sequence for sequence in running if sequence.pending == 1][:batch_tokens]
    prompts = [sequence for sequence in running if sequence.pending > 1]
    shares = share_out([sequence.pending for sequence in prompts], batch_tokens - len(generating))
    pieces = [(sequence, _piece(sequence, 1)) for sequence in generating]
    pieces += [(sequence, _piece(sequence, share)) for sequence, share in zip(prompts, shares, strict=True) if share]
    return pieces


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
    return Piece(sequence.slot, sequence.tokens[start:end], start, end == len(sequence.tokens))
