"""The KV room: what a finished sequence leaves behind helps its own tenant, and nobody else."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue import ModelEntry
from tests.fakes.sequences import a_job, a_request
from worker.choices import sequences_of
from worker.engine.simulated import SimulatedEngine, SimulatedOptions
from worker.kv_room import MIN_SHARED_TOKENS, KvRoom, common_prefix
from worker.sequence import Sequence

SHARED = list(range(100, 100 + MIN_SHARED_TOKENS + 4))


@pytest.fixture
def engine() -> SimulatedEngine:
    entry = ModelEntry(name="m", file="m", kind="chat", context_length=128)
    return SimulatedEngine(entry, SimulatedOptions(slots=3, step_ms=0))


@pytest.fixture
def room(engine: SimulatedEngine) -> KvRoom:
    return KvRoom(engine)


def a_sequence(engine: SimulatedEngine, tokens: list[int], **fields: Any) -> Sequence:
    (sequence,) = sequences_of(a_request(a_job(**fields)), tokens, engine)
    return sequence


def decode(room: KvRoom, engine: SimulatedEngine, sequence: Sequence, tokens: int | None = None) -> int:
    """Enter and decode up to `tokens`; where it could begin."""
    room.enter(sequence)
    assert sequence.slot is not None
    begun = sequence.position
    assert engine._held[sequence.slot] == sequence.tokens[:begun]
    sequence.position = len(sequence.tokens) if tokens is None else tokens
    engine._held[sequence.slot] = sequence.tokens[: sequence.position]
    return begun


def test_a_follow_up_takes_over_the_slot_of_what_went_before(room: KvRoom, engine: SimulatedEngine) -> None:
    first = a_sequence(engine, SHARED)
    decode(room, engine, first)
    slot = first.slot
    room.leave(first)

    follow_up = a_sequence(engine, [*SHARED, 1, 2, 3])

    assert decode(room, engine, follow_up) == len(SHARED)
    assert follow_up.slot == slot


def test_the_same_prompt_again_decodes_only_its_last_token(room: KvRoom, engine: SimulatedEngine) -> None:
    first = a_sequence(engine, SHARED)
    decode(room, engine, first)
    room.leave(first)

    assert decode(room, engine, a_sequence(engine, SHARED)) == len(SHARED) - 1


def test_another_tenant_gets_nothing_of_it(room: KvRoom, engine: SimulatedEngine) -> None:
    first = a_sequence(engine, SHARED, tenant_id="one")
    decode(room, engine, first)
    room.leave(first)
    running = a_sequence(engine, SHARED, tenant_id="one")
    decode(room, engine, running, tokens=5)

    foreign = a_sequence(engine, SHARED, tenant_id="two")

    assert not room.is_worth_waiting(foreign)
    assert decode(room, engine, foreign) == 0


def test_a_prompt_that_shares_only_its_beginning_leaves_the_long_one_alone(
    room: KvRoom, engine: SimulatedEngine
) -> None:
    long = a_sequence(engine, [*SHARED, *range(60)])
    decode(room, engine, long)
    room.leave(long)

    short = a_sequence(engine, [*SHARED, 99])
    again = a_sequence(engine, [*SHARED, *range(60), 7])

    assert decode(room, engine, short) == len(SHARED)
    assert decode(room, engine, again) == len(SHARED) + 60


def test_a_running_sequence_can_be_copied_from(room: KvRoom, engine: SimulatedEngine) -> None:
    running = a_sequence(engine, [*SHARED, 1])
    decode(room, engine, running)

    other = a_sequence(engine, [*SHARED, 2])

    assert decode(room, engine, other) == len(SHARED)
    assert other.slot != running.slot


def test_a_prefix_that_is_being_decoded_is_worth_waiting_for(room: KvRoom, engine: SimulatedEngine) -> None:
    running = a_sequence(engine, [*SHARED, 1])
    decode(room, engine, running, tokens=2)
    other = a_sequence(engine, [*SHARED, 2])

    waits = room.is_worth_waiting(other)
    running.position = len(SHARED)

    assert (waits, room.is_worth_waiting(other)) == (True, False)


def test_a_few_common_tokens_are_neither_waited_for_nor_copied(room: KvRoom, engine: SimulatedEngine) -> None:
    few = SHARED[: MIN_SHARED_TOKENS - 1]
    running = a_sequence(engine, [*few, 1])
    decode(room, engine, running, tokens=2)
    other = a_sequence(engine, [*few, 2])

    assert not room.is_worth_waiting(other)
    running.position = len(running.tokens)
    assert decode(room, engine, other) == 0


def test_the_slot_that_was_left_longest_ago_is_used_first(room: KvRoom, engine: SimulatedEngine) -> None:
    olds = [a_sequence(engine, [number] * 20) for number in range(3)]
    for old in olds:
        decode(room, engine, old)
    for old in olds:
        room.leave(old)

    decode(room, engine, a_sequence(engine, [9] * 20))

    assert decode(room, engine, a_sequence(engine, [2] * 30)) == 20
    assert decode(room, engine, a_sequence(engine, [0] * 30)) == 0


def test_what_a_failed_sequence_held_is_not_kept(room: KvRoom, engine: SimulatedEngine) -> None:
    failed = a_sequence(engine, SHARED)
    decode(room, engine, failed)

    room.leave(failed, keeps=False)

    assert engine._held == [[], [], []]
    assert decode(room, engine, a_sequence(engine, SHARED)) == 0


def test_what_only_rests_can_be_forgotten_at_once(room: KvRoom, engine: SimulatedEngine) -> None:
    running, over = a_sequence(engine, SHARED), a_sequence(engine, [5] * 8)
    decode(room, engine, running)
    decode(room, engine, over)
    room.leave(over)

    assert room.forget_resting()

    assert not room.forget_resting()
    assert sorted(engine._held, key=len) == [[], [], SHARED]


def test_a_prompt_whose_every_logprob_is_wanted_reuses_nothing(room: KvRoom, engine: SimulatedEngine) -> None:
    first = a_sequence(engine, SHARED)
    decode(room, engine, first)
    room.leave(first)

    assert decode(room, engine, a_sequence(engine, SHARED, echo=True, top_logprobs=2)) == 0


def test_an_engine_that_cannot_cut_decodes_everything(
    room: KvRoom, engine: SimulatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(slot: int, length: int) -> bool:
        engine.clear(slot)
        return False

    monkeypatch.setattr(engine, "truncate", cannot)
    first = a_sequence(engine, SHARED)
    decode(room, engine, first)

    assert decode(room, engine, a_sequence(engine, [*SHARED, 1])) == 0
    room.leave(first)
    assert decode(room, engine, a_sequence(engine, [*SHARED, 2])) == 0


@given(st.lists(st.integers(0, 3), max_size=30), st.lists(st.integers(0, 3), max_size=30))
def test_the_common_prefix_is_where_two_lists_first_differ(one: list[int], other: list[int]) -> None:
    size = common_prefix(np.array(one, dtype=np.int32), np.array(other, dtype=np.int32))

    assert one[:size] == other[:size]
    assert size == min(len(one), len(other)) or one[size] != other[size]
