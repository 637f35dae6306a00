"""llama.cpp's engine on a real GGUF: batches, slots, broken weights."""

import random
from pathlib import Path
from typing import Any

import pytest

from shared.catalogue import ModelEntry
from shared.errors import InferenceError
from shared.job import SamplingParams
from tests.fakes.random_gguf import write_random_gguf
from tests.fakes.sequences import Collector, a_job, a_request
from tests.integration.worker_engine.conftest import CONTEXT_LENGTH, OpenLlama
from worker.engine.base import DecodeError, Engine, Piece
from worker.loaded_model import LoadedModel

GREEDY = SamplingParams(temperature=0)


def generate(engine: Engine, slot: int, prompt: list[int], count: int) -> list[int]:
    sampler = engine.new_sampler(a_job(sampling=GREEDY), prompt, [], 0)
    tokens = list(prompt)
    position = 0
    for seq in range(1, count + 1):
        engine.decode([Piece(slot, tokens[position:], position, True)])
        position = len(tokens)
        tokens.append(sampler.sample(0, seq).token)
    sampler.close()
    engine.clear(slot)
    return tokens[len(prompt) :]


def test_special_tokens_of_the_template_are_recognised(open_llama: OpenLlama) -> None:
    engine = open_llama()

    tokens = engine.tokenize("<|im_start|>the☃")

    assert tokens[0] == 1
    assert b"".join(engine.token_bytes[token] for token in tokens) == "the☃".encode()
    assert engine.end_tokens >= {2}


@pytest.mark.parametrize("kv_unified", [False, True])
def test_slots_that_come_and_go_in_any_order_do_not_mix(open_llama: OpenLlama, kv_unified: bool) -> None:
    prompts = [[10 + slot, 20, 30 + slot] for slot in range(4)]
    alone = open_llama()
    expected = [generate(alone, 0, prompt, 40) for prompt in prompts]

    engine = open_llama(kv_unified=kv_unified)
    chance = random.Random(3)
    for _ in range(6):
        tokens = {slot: list(prompts[slot]) for slot in chance.sample(range(4), 4)}
        position = dict.fromkeys(tokens, 0)
        ends = {slot: chance.randrange(2, 30) for slot in tokens}
        sampler = engine.new_sampler(a_job(sampling=GREEDY), [], [], 0)
        while tokens:
            order = list(tokens)
            chance.shuffle(order)
            engine.decode([Piece(slot, tokens[slot][position[slot] :], position[slot], True) for slot in order])
            for row, slot in enumerate(order):
                position[slot] = len(tokens[slot])
                tokens[slot].append(sampler.sample(row, 1).token)
                answered = tokens[slot][3:]
                assert answered == expected[slot][: len(answered)]
                if len(answered) == ends[slot]:
                    del tokens[slot]
                    engine.clear(slot)


def test_a_batch_that_is_too_large_is_refused_before_llama_sees_it(open_llama: OpenLlama) -> None:
    engine = open_llama()

    with pytest.raises(DecodeError):
        engine.decode([Piece(0, [5] * 65, 0, True)])


def test_a_position_out_of_order_fails_and_the_engine_goes_on(open_llama: OpenLlama) -> None:
    engine = open_llama()
    expected = generate(engine, 0, [7, 8, 9], 5)

    with pytest.raises(DecodeError, match="status"):
        engine.decode([Piece(0, [5, 6], 0, True), Piece(1, [5], 0, True), Piece(0, [9], 0, True)])
    engine.clear(0)
    engine.clear(1)

    assert generate(engine, 0, [7, 8, 9], 5) == expected


@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.8, "top_k": 5}])
def test_weights_that_compute_no_numbers_end_the_job_and_not_the_worker(
    open_llama: OpenLlama, entry: ModelEntry, tmp_path: Path, sampling: dict[str, Any]
) -> None:
    broken = write_random_gguf(tmp_path / "nan.gguf", weight=float("nan"))
    model = LoadedModel(entry, open_llama(broken), stall_s=5, prefill_stall_s=60)
    collector = Collector()

    model.submit(a_request(a_job(**sampling), collector))
    collector.wait()
    model.close()

    assert collector.error_code == InferenceError.code


def test_the_model_brings_its_own_template(open_llama: OpenLlama) -> None:
    assert "<|im_start|>" in open_llama().template


def test_each_slot_has_the_whole_context(open_llama: OpenLlama) -> None:
    engine = open_llama()

    for start in range(0, CONTEXT_LENGTH, 16):
        engine.decode([Piece(slot, [9] * 16, start, False) for slot in range(4)])

    with pytest.raises(DecodeError):
        engine.decode([Piece(0, [9], CONTEXT_LENGTH, True)])
