"""llama.cpp's samplers on a real model: what each parameter does, and that nothing of them stays."""

import gc
import math
from collections import Counter
from typing import Any

import psutil
import pytest

from shared.errors import InferenceError
from shared.job import SamplingParams
from tests.fakes.sequences import a_job
from tests.integration.worker_engine.conftest import OpenLlama
from worker.engine.base import Engine, Piece
from worker.engine.llama_sampler import ChainSampler, GreedySampler, position_seed

PROMPT = [5, 6, 7, 8]


@pytest.fixture
def llama(open_llama: OpenLlama) -> Any:
    engine = open_llama()
    engine.decode([Piece(0, PROMPT, 0, True)])
    return engine


def draw(engine: Engine, count: int = 200, **params: Any) -> Counter[int]:
    """What is drawn from the same logits again and again, each time as the first token of an answer."""
    drawn: Counter[int] = Counter()
    for seed in range(count):
        sampler = engine.new_sampler(a_job(sampling=SamplingParams(**{"seed": seed, **params})), PROMPT, [], 0)
        drawn[sampler.sample(0, 1).token] += 1
        sampler.close()
    return drawn


def likeliest(engine: Any, count: int) -> list[int]:
    return [int(token) for token in engine.logits(0).argsort()[::-1][:count]]


def test_temperature_0_takes_the_likeliest(llama: Any) -> None:
    assert set(draw(llama, 3, temperature=0)) == set(likeliest(llama, 1))


def test_top_k_leaves_the_k_likeliest(llama: Any) -> None:
    assert set(draw(llama, temperature=3, top_k=3)) == set(likeliest(llama, 3))


def test_a_tiny_top_p_or_a_large_min_p_leaves_only_the_likeliest(llama: Any) -> None:
    assert set(draw(llama, 50, top_p=1e-6)) == set(likeliest(llama, 1))
    assert set(draw(llama, 50, min_p=1.0)) == set(likeliest(llama, 1))


def test_a_low_temperature_sharpens(llama: Any) -> None:
    best = likeliest(llama, 1)[0]

    assert draw(llama, temperature=0.2)[best] > draw(llama, temperature=2.0)[best]


def test_typical_p_leaves_fewer(llama: Any) -> None:
    assert len(draw(llama, typical_p=0.1)) < len(draw(llama))


@pytest.mark.parametrize("penalty", [{"presence_penalty": 50.0}, {"frequency_penalty": 50.0}])
def test_openais_penalties_look_at_the_answer_and_not_at_the_prompt(llama: Any, penalty: dict[str, float]) -> None:
    best, second = likeliest(llama, 2)
    params = SamplingParams(temperature=0, **penalty)

    assert llama.new_sampler(a_job(sampling=params), [best], [], 0).sample(0, 1).token == best
    assert llama.new_sampler(a_job(sampling=params), [], [best], 0).sample(0, 2).token == second


def test_repeat_penalty_looks_at_the_prompt_too(llama: Any) -> None:
    best = likeliest(llama, 1)[0]
    params = SamplingParams(temperature=0, repeat_penalty=1000.0)

    assert llama.new_sampler(a_job(sampling=params), [best], [], 0).sample(0, 1).token != best
    assert llama.new_sampler(a_job(sampling=params), [], [best], 0).sample(0, 2).token != best
    forgets = SamplingParams(temperature=0, repeat_penalty=1000.0, repeat_last_n=2)
    assert llama.new_sampler(a_job(sampling=forgets), [best, 300 % 266, 299 % 266], [], 0).sample(0, 1).token == best


@pytest.mark.parametrize("params", [{"temperature": 0.0}, {"temperature": 2.0}, {"presence_penalty": 0.1}])
def test_ignore_eos_never_ends(llama: Any, params: dict[str, float]) -> None:
    llama._logits[:, sorted(llama.end_tokens)] = 1000.0

    assert set(draw(llama, 5, **params)) <= llama.end_tokens
    assert not set(draw(llama, 50, ignore_eos=True, **params)) & llama.end_tokens


def test_with_a_seed_the_draw_depends_on_the_position(llama: Any) -> None:
    params = SamplingParams(temperature=2.0, seed=3)
    whole = llama.new_sampler(a_job(sampling=params), PROMPT, [], 0)
    tokens = [whole.sample(0, seq).token for seq in range(1, 30)]

    later = llama.new_sampler(a_job(sampling=params), PROMPT, tokens[:20], 0)

    assert [later.sample(0, seq).token for seq in range(21, 30)] == tokens[20:]
    assert len(set(tokens)) > 5


def test_without_a_seed_answers_differ(llama: Any) -> None:
    samplers = [llama.new_sampler(a_job(sampling=SamplingParams(temperature=2.0)), PROMPT, [], 0) for _ in range(2)]

    answers = [[sampler.sample(0, seq).token for seq in range(1, 40)] for sampler in samplers]

    assert answers[0] != answers[1]


def test_seeds_of_positions_are_never_llamas_seed_for_chance() -> None:
    seeds = {position_seed(seed, seq) for seed in (-1, 0, 2**40) for seq in range(1000)}

    assert len(seeds) == 3000
    assert max(seeds) < 2**31


@pytest.mark.parametrize(
    "params", [{"temperature": math.nan}, {"top_p": math.inf}, {"repeat_penalty": 0.0}, {"presence_penalty": -math.inf}]
)
def test_numbers_that_llama_would_die_of_are_refused(llama: Any, params: dict[str, float]) -> None:
    with pytest.raises(InferenceError):
        llama.new_sampler(a_job(sampling=SamplingParams(**params)), PROMPT, [], 0)


def test_greedy_without_penalties_needs_no_chain(llama: Any) -> None:
    assert isinstance(llama.new_sampler(a_job(sampling=SamplingParams(temperature=0)), PROMPT, [], 0), GreedySampler)
    assert isinstance(llama.new_sampler(a_job(sampling=SamplingParams()), PROMPT, [], 0), ChainSampler)


def test_thousands_of_samplers_leave_no_memory_behind(llama: Any) -> None:
    params = {"temperature": 0.7, "top_k": 20, "top_p": 0.9, "repeat_penalty": 1.1, "presence_penalty": 0.1}
    draw(llama, 500, **params)
    gc.collect()
    before = psutil.Process().memory_info().rss

    draw(llama, 5000, **params)
    gc.collect()

    assert llama.open_samplers == 0
    assert psutil.Process().memory_info().rss - before < 8 * 2**20
