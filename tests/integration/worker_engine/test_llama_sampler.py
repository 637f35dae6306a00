"""llama.cpp's samplers on a real model: what each parameter does, and that nothing of them stays."""

import gc
import math
from collections import Counter
from typing import Any

import psutil
import pytest

from shared.errors import BadRequestError, InferenceError
from shared.job import SamplingParams
from tests.fakes.sequences import a_job
from tests.integration.worker_engine.conftest import OpenLlama
from worker.engine.base import Engine, Piece
from worker.engine.llama_row_sampler import RowSampler
from worker.engine.llama_sampler import ChainSampler, GreedySampler
from worker.engine.position_seeds import PositionSeeds

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
    llama._logits[0, sorted(llama.end_tokens)] = 1000.0

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


def test_choices_of_one_job_draw_differently_and_each_the_same_again(llama: Any) -> None:
    job = a_job(sampling=SamplingParams(temperature=2.0, seed=3))

    def answer(choice: int) -> list[int]:
        sampler = llama.new_sampler(job, PROMPT, [], choice)
        return [sampler.sample(0, seq).token for seq in range(1, 30)]

    assert answer(0) == answer(0)
    assert answer(1) == answer(1)
    assert answer(0) != answer(1) != answer(2)


def test_seeds_of_positions_are_never_llamas_seed_for_chance() -> None:
    bases = [PositionSeeds(seed, choice) for seed in (-(2**63), 0, 2**63 - 1) for choice in (0, 1)]
    seeds = {base.seed(seq, attempt) for base in bases for seq in range(500) for attempt in (0, 1)}

    assert len(seeds) > 5995  # 6,000 draws of 31 bits; two may meet
    assert max(seeds) < 2**31


@pytest.mark.parametrize("seed", [-(2**63), 2**63 - 1, 2**64])
def test_any_whole_number_is_a_seed(llama: Any, seed: int) -> None:
    sampler = llama.new_sampler(a_job(sampling=SamplingParams(seed=seed)), PROMPT, [], 0)

    assert 0 <= sampler.sample(0, 1).token < llama.vocabulary_size


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": -1.0}, "temperature"),
        ({"top_p": math.inf}, "top_p"),
        ({"repeat_penalty": 0.0}, "repeat_penalty"),
        ({"repeat_penalty": 1e-40}, "repeat_penalty"),
        ({"presence_penalty": -math.inf}, "presence_penalty"),
        ({"dry_multiplier": 1e39}, "dry_multiplier"),
        ({"mirostat_eta": math.nan}, "mirostat_eta"),
        ({"dry_sequence_breakers": ("x",) * 10_000}, "dry_sequence_breakers"),
        ({"dry_sequence_breakers": ("x" * 10_000,)}, "dry_sequence_breakers"),
        ({"dry_sequence_breakers": ("a\0b",)}, "dry_sequence_breakers"),
        ({"logit_bias": {10**9: 1.0}}, "logit_bias"),
        ({"logit_bias": {-1: 1.0}}, "logit_bias"),
        ({"logit_bias": {5: math.nan}}, "logit_bias"),
        ({"logit_bias": {5: 1e9}}, "logit_bias"),
        ({"logit_bias": dict.fromkeys(range(20_000), 1.0)}, "logit_bias"),
        ({"logit_bias": dict.fromkeys(range(266), -100.0)}, "logit_bias"),
    ],
)
def test_what_llama_would_die_of_is_refused_by_name(llama: Any, params: dict[str, Any], name: str) -> None:
    job = a_job(sampling=SamplingParams(**params))

    for ask in (llama.prepare, lambda job: llama.new_sampler(job, PROMPT, [], 0)):
        with pytest.raises(BadRequestError) as refused:
            ask(job)
        assert refused.value.param == name
    assert llama.open_samplers == 0


@pytest.mark.parametrize(
    "params",
    [
        {"repeat_last_n": 2**40, "repeat_penalty": 1.1},
        {"dry_penalty_last_n": 2**40, "dry_multiplier": 1.0, "dry_allowed_length": -(2**40)},
        {"dry_multiplier": 1000.0, "dry_base": 1000.0, "dry_allowed_length": 0},
        {"top_k": 2**40},
        {"top_p": 0.0, "min_p": 1.0, "temperature": 1e6},
        {"temperature": 1e-30, "repeat_penalty": 0.001},
        {"typical_p": 0.0, "logit_bias": {5: -100.0, 6: 100.0}},
        {"mirostat": 1, "mirostat_tau": 0.0, "mirostat_eta": 100.0},
        {"mirostat": 2, "mirostat_tau": 100.0, "mirostat_eta": 100.0},
    ],
)
def test_odd_numbers_are_survived(llama: Any, params: dict[str, Any]) -> None:
    sampler = llama.new_sampler(a_job(sampling=SamplingParams(seed=1, **params)), PROMPT * 10, PROMPT * 10, 0)

    tokens = [sampler.sample(0, seq).token for seq in range(1, 50)]

    assert all(0 <= token < llama.vocabulary_size for token in tokens)


@pytest.mark.parametrize("params", [{}, {"temperature": 0.0, "presence_penalty": 1.0}, {"mirostat": 2}, {"top_k": 5}])
def test_a_row_without_numbers_is_an_error_and_no_crash(llama: Any, params: dict[str, Any]) -> None:
    sampler = llama.new_sampler(a_job(sampling=SamplingParams(**params)), PROMPT, [], 0)
    llama._logits[0] = math.nan

    with pytest.raises(InferenceError):
        sampler.sample(0, 1)


def test_a_bias_of_100_forces_and_one_of_minus_100_forbids(llama: Any) -> None:
    best = likeliest(llama, 1)[0]

    assert set(draw(llama, 20, logit_bias={9: 100.0})) == {9}
    assert best not in draw(llama, temperature=1e6, logit_bias={best: -100.0})
    assert best not in draw(llama, 5, temperature=0.0, logit_bias={best: -100.0})


@pytest.mark.parametrize("params", [{"temperature": 0.0}, {"temperature": 1.0}, {"mirostat": 2}, {"typical_p": 0.5}])
def test_an_answer_does_not_end_before_min_tokens(llama: Any, params: dict[str, Any]) -> None:
    llama._logits[0, sorted(llama.end_tokens)] = 1000.0
    job = a_job(sampling=SamplingParams(seed=1, min_tokens=3, **params))

    for sampler, first in ((llama.new_sampler(job, PROMPT, [], 0), 1), (llama.new_sampler(job, PROMPT, [9, 9], 0), 3)):
        tokens = [sampler.sample(0, seq).token for seq in range(first, 6)]
        assert not set(tokens[: 4 - first]) & llama.end_tokens
        assert set(tokens[4 - first :]) <= llama.end_tokens


def test_dry_does_not_repeat_what_was_said_unless_a_breaker_lies_between(llama: Any) -> None:
    best = likeliest(llama, 1)[0]
    history = [10, 11, 12, best, 20, 21, 10, 11, 12]

    def next_token(**params: Any) -> int:
        sampling = SamplingParams(temperature=0, dry_multiplier=1000.0, dry_allowed_length=2, **params)
        sampler = llama.new_sampler(a_job(sampling=sampling), history, [], 0)
        token: int = sampler.sample(0, 1).token
        sampler.close()
        return token

    assert next_token(dry_sequence_breakers=()) != best
    breaker = llama.token_bytes[12].decode("latin-1")
    assert next_token(dry_sequence_breakers=(breaker,)) == best
    assert next_token(dry_sequence_breakers=(), dry_penalty_last_n=4) == best


def test_logprobs_come_with_the_token_if_they_are_wanted(llama: Any) -> None:
    for params in ({"temperature": 0.0}, {"temperature": 1.0}, {"mirostat": 2}):
        job = a_job(sampling=SamplingParams(**params), top_logprobs=3)
        token, logprobs = llama.new_sampler(job, PROMPT, [], 0).sample(0, 1)
        assert logprobs == llama.logprobs(0, token, 3)
        assert logprobs[0].token_id == token

    assert llama.new_sampler(a_job(), PROMPT, [], 0).sample(0, 1).logprobs is None


def test_greedy_without_penalties_needs_no_chain(llama: Any) -> None:
    assert isinstance(llama.new_sampler(a_job(sampling=SamplingParams(temperature=0)), PROMPT, [], 0), GreedySampler)
    assert isinstance(llama.new_sampler(a_job(sampling=SamplingParams()), PROMPT, [], 0), ChainSampler)
    assert isinstance(llama.new_sampler(a_job(sampling=SamplingParams(mirostat=1)), PROMPT, [], 0), RowSampler)


def test_thousands_of_samplers_leave_no_memory_behind(llama: Any) -> None:
    params = {"temperature": 0.7, "top_k": 20, "top_p": 0.9, "repeat_penalty": 1.1, "presence_penalty": 0.1}
    draw(llama, 500, **params)
    gc.collect()
    before = psutil.Process().memory_info().rss

    draw(llama, 5000, **params)
    gc.collect()

    assert llama.open_samplers == 0
    assert psutil.Process().memory_info().rss - before < 8 * 2**20
