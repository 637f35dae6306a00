"""The plan of a batch: generating sequences first, prompts in what is left, nobody starves."""

from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue import ModelEntry
from tests.fakes.sequences import a_job, a_request
from worker.batch_plan import plan, share_out
from worker.choices import sequences_of
from worker.engine.simulated import SimulatedEngine, SimulatedOptions
from worker.sequence import Sequence


def an_engine(batch_tokens: int) -> SimulatedEngine:
    entry = ModelEntry(name="m", file="m", kind="chat", context_length=512)
    return SimulatedEngine(entry, SimulatedOptions(batch_tokens=batch_tokens))


ENGINE = an_engine(512)


def running(slot: int, *, tokens: int, position: int = 0) -> Sequence:
    (sequence,) = sequences_of(a_request(), list(range(tokens)), ENGINE)
    sequence.slot, sequence.position = slot, position
    return sequence


def test_generating_sequences_come_before_prompts() -> None:
    prompt, generating = running(0, tokens=100), running(1, tokens=10, position=9)

    (_, first), (_, second) = plan([prompt, generating], an_engine(14))

    assert (first.slot, list(first.tokens), first.position, first.wants_logits) == (1, [9], 9, True)
    assert (second.slot, list(second.tokens), second.position, second.wants_logits) == (0, [*range(7)], 0, False)


def test_the_last_piece_of_a_prompt_wants_logits() -> None:
    prompt = running(0, tokens=10, position=6)

    ((_, piece),) = plan([prompt], an_engine(8))

    assert list(piece.tokens) == [6, 7, 8, 9]
    assert piece.wants_logits


def test_beside_streams_a_prompt_gets_half_a_batch() -> None:
    prompt, generating = running(0, tokens=100), running(1, tokens=10, position=9)

    with_streams, alone = plan([prompt, generating], an_engine(64)), plan([prompt], an_engine(64))

    assert [len(piece.tokens) for _, piece in with_streams] == [1, 32]
    assert [len(piece.tokens) for _, piece in alone] == [64]


def test_a_prompt_whose_logprobs_are_wanted_takes_only_the_rows_that_are_left() -> None:
    engine = an_engine(64)
    engine.output_rows = 10
    (echoing,) = sequences_of(a_request(a_job(echo=True, top_logprobs=1)), list(range(40)), engine)
    echoing.slot = 1
    other = running(0, tokens=60)

    pieces = [piece for _, piece in plan([other, echoing], engine)]

    assert [(len(piece.tokens), piece.wants_all) for piece in pieces] == [(55, False), (9, True)]
    assert sum(piece.rows for piece in pieces) <= engine.output_rows


def test_prompts_whose_logprobs_are_wanted_go_on_in_a_full_house() -> None:
    engine = an_engine(4)
    jobs = [sequences_of(a_request(a_job(echo=True, top_logprobs=1)), [*range(40)], engine) for _ in range(4)]
    full = [sequence for (sequence,) in jobs]
    for slot, sequence in enumerate(full):
        sequence.slot = slot

    pieces = [piece for _, piece in plan(full, engine)]

    assert sum(piece.rows for piece in pieces) == 4


def test_a_short_prompt_overtakes_a_long_one() -> None:
    assert share_out([1000, 20], room=100) == [80, 20]


def test_the_oldest_prompt_keeps_half_the_room_against_many_short_ones() -> None:
    assert share_out([1000, 60, 60], room=100) == [50, 50, 0]


@given(pending=st.lists(st.integers(1, 300), max_size=20), room=st.integers(0, 200))
def test_the_room_is_filled_and_never_overfilled(pending: list[int], room: int) -> None:
    shares = share_out(pending, room)

    assert all(0 <= share <= wanted for share, wanted in zip(shares, pending, strict=True))
    assert sum(shares) == min(room, sum(pending))


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 39)), max_size=16), st.integers(1, 64))
def test_a_batch_is_never_too_large_and_has_one_piece_per_slot(kinds: list[tuple[int, int]], batch_tokens: int) -> None:
    sequences = [
        running(slot, tokens=tokens, position=min(done, tokens - 1)) for slot, (tokens, done) in enumerate(kinds)
    ]

    pieces = [piece for _, piece in plan(sequences, an_engine(batch_tokens))]

    assert sum(len(piece.tokens) for piece in pieces) <= batch_tokens
    assert len({piece.slot for piece in pieces}) == len(pieces)
    assert all(piece.tokens for piece in pieces)
