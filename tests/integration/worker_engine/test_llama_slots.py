"""The sequence ids of slots, on a real KV cache: those that decode lie side by side, and nothing is mixed up."""

import random

import pytest

from tests.fakes.sequences import a_job
from tests.integration.worker_engine.conftest import OpenLlama
from worker.engine.base import DecodeError, Engine, Piece
from worker.engine.llama import LlamaEngine

SLOTS = 6


@pytest.fixture
def engine(open_llama: OpenLlama) -> LlamaEngine:
    engine = open_llama(slots=SLOTS)
    assert isinstance(engine, LlamaEngine)
    return engine


def next_token(engine: Engine, slot: int, tokens: list[int], position: int) -> int:
    """The likeliest token after `tokens`, of which the slot holds the first `position`."""
    engine.decode([Piece(slot, tokens[position:], position, True)])
    return engine.new_sampler(a_job(), [], [], 0).sample(0, 1).token


def ids(engine: LlamaEngine) -> dict[int, int]:
    return dict(engine._slot_ids._ids)


def fill(engine: LlamaEngine, slot: int, size: int = 12) -> list[int]:
    tokens = [random.Random(slot * 100 + size).randrange(40, 200) for _ in range(size)]
    engine.decode([Piece(slot, tokens, 0, True)])
    return tokens


def test_slots_that_decode_lie_side_by_side_and_those_that_rest_keep_what_they_hold(engine: LlamaEngine) -> None:
    held = {slot: fill(engine, slot) for slot in range(SLOTS - 1)}
    expected = {slot: next_token(engine, slot, [*tokens, 7], 12) for slot, tokens in held.items()}
    for slot in held:
        assert engine.truncate(slot, 12)
    for slot in (1, 3):
        engine.rest(slot)

    engine.decode([Piece(slot, [7], 12, False) for slot in (0, 2, 4)])

    taken = sorted(ids(engine)[slot] for slot in (0, 2, 4))
    assert taken == [*range(taken[0], taken[0] + 3)]
    for slot, tokens in held.items():
        assert engine.truncate(slot, 12)
        assert next_token(engine, slot, [*tokens, 7], 12) == expected[slot]


def test_a_full_cache_loses_one_that_rests_at_most(engine: LlamaEngine) -> None:
    for slot in range(SLOTS):
        fill(engine, slot)
    for slot in (1, 3):
        engine.rest(slot)

    engine.decode([Piece(slot, [7], 12, False) for slot in (0, 2, 4, 5)])

    assert [engine.truncate(1, 12), engine.truncate(3, 12)].count(False) <= 1
    assert sorted(engine.truncate(slot, 13) for slot in (0, 2, 4, 5)) == [True] * 4


def test_a_slot_that_was_cut_is_not_lost_before_its_first_batch(engine: LlamaEngine) -> None:
    held = {slot: fill(engine, slot) for slot in range(SLOTS)}
    for slot in held:
        engine.rest(slot)

    assert engine.truncate(3, 8)
    engine.decode([Piece(slot, [7], 12, False) for slot in (0, 5)])

    engine.decode([Piece(3, [9], 8, True)])


def test_a_slot_that_holds_nothing_cannot_go_on(engine: LlamaEngine) -> None:
    with pytest.raises(DecodeError):
        engine.decode([Piece(2, [9], 8, True)])


def test_a_copy_is_cut_and_leaves_its_source_alone(engine: LlamaEngine) -> None:
    tokens = fill(engine, 0)
    expected = next_token(engine, 0, [*tokens[:8], 9], 0 if not engine.truncate(0, 8) else 8)
    engine.clear(0)
    tokens = fill(engine, 0)

    assert engine.copy(0, 3, 8)

    assert next_token(engine, 3, [*tokens[:8], 9], 8) == expected
    assert engine.truncate(0, 12)


def test_copies_of_one_step_are_made_in_their_order(engine: LlamaEngine) -> None:
    tokens = fill(engine, 0)
    expected = next_token(engine, 0, [*tokens, 9], 12)
    assert engine.truncate(0, 12)

    assert engine.copy(0, 1, 12)
    assert engine.copy(1, 2, 12)
    engine.clear(0)
    assert engine.copy(2, 4, 12)
    engine.rest(1)

    for slot in (2, 4):
        assert next_token(engine, slot, [*tokens, 9], 12) == expected


def test_what_is_not_there_can_be_neither_cut_nor_copied(engine: LlamaEngine) -> None:
    fill(engine, 0, 5)

    assert not engine.copy(2, 3, 4)
    assert not engine.truncate(4, 4)
    assert not engine.truncate(0, 6)
    assert ids(engine) == {}


def test_a_unified_cache_needs_no_order(open_llama: OpenLlama) -> None:
    engine = open_llama(slots=SLOTS, kv_unified=True)
    assert isinstance(engine, LlamaEngine)
    held = {slot: fill(engine, slot) for slot in range(SLOTS)}
    before = ids(engine)
    engine.rest(2)

    engine.decode([Piece(slot, [7], 12, False) for slot in held if slot != 2])

    assert ids(engine) == before
    assert engine.truncate(2, 12)


class Schedule:
    """Random calls, and what every slot must hold after them."""

    def __init__(self, engine: LlamaEngine):
        self.engine = engine
        self.chance = random.Random(4)
        self.held: dict[int, list[int]] = {}
        self.resting: set[int] = set()

    def rest(self, slot: int) -> None:
        if slot in self.held:
            self.engine.rest(slot)
            self.resting.add(slot)

    def clear(self, slot: int) -> None:
        self.engine.clear(slot)
        self.held.pop(slot, None)
        self.resting.discard(slot)

    def cut(self, slot: int) -> None:
        if slot in self.held:
            size = self.chance.randrange(1, len(self.held[slot]) + 1)
            self.held[slot] = self.held[slot][:size]
            if not self.engine.truncate(slot, size):
                assert slot in self.resting
                self.clear(slot)
            self.resting.discard(slot)

    def copy(self, slot: int) -> None:
        if self.held and slot not in self.held:
            source = self.chance.choice([*self.held])
            if self.engine.copy(source, slot, len(self.held[source])):
                self.held[slot] = list(self.held[source])

    def decode(self, _slot: int) -> None:
        """llama.cpp refuses a position that does not follow on what the slot holds."""
        awake = [slot for slot in range(SLOTS) if slot not in self.resting and len(self.held.get(slot, [])) < 200]
        pieces = []
        for slot in awake:
            new = [self.chance.randrange(40, 200) for _ in range(self.chance.randrange(1, 4))]
            pieces.append(Piece(slot, new, len(self.held.setdefault(slot, [])), False))
            self.held[slot] += new
        if pieces:
            self.engine.decode(pieces)
            taken = sorted(ids(self.engine)[slot] for slot in awake)
            assert taken == [*range(taken[0], taken[0] + len(taken))]


def test_any_order_of_rest_copy_and_clear_keeps_every_slot_its_own(engine: LlamaEngine) -> None:
    schedule = Schedule(engine)
    actions = [schedule.rest, schedule.clear, schedule.cut, schedule.copy, *[schedule.decode] * 3]

    for _ in range(300):
        schedule.chance.choice(actions)(schedule.chance.randrange(SLOTS))

    found = {}
    for slot, tokens in schedule.held.items():
        if engine.truncate(slot, len(tokens)):
            found[slot] = next_token(engine, slot, [*tokens, 7], len(tokens))
    for slot, token in found.items():
        engine.clear(slot)
        rest = schedule.held[slot]
        for start in range(0, len(rest), 32):
            engine.decode([Piece(slot, rest[start : start + 32], start, False)])
        assert token == next_token(engine, slot, [*rest, 7], len(rest))
    assert found
