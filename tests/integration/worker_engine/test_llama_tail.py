"""The tail over a large vocabulary keeps what llama.cpp's whole chain keeps, and draws with its probabilities."""

import ctypes
from collections import Counter
from typing import Any

import llama_cpp
import numpy as np
import pytest

from shared.job import SamplingParams
from worker.engine.llama_calls import Calls
from worker.engine.llama_candidates import Candidates, Row, likeliest, nucleus
from worker.engine.llama_chain import tail_links
from worker.engine.llama_tail import Tail
from worker.engine.position_seeds import PositionSeeds

SIZE = 30_000
CALLS = Calls(SIZE)
PARAMS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.7},
    {"temperature": 1.5, "top_p": 0.95},
    {"temperature": 0.8, "top_p": 0.5, "min_p": 0.02},
    {"min_p": 0.01, "temperature": 2.0},
    {"top_k": 40},
    {"top_k": 2000, "top_p": 0.8, "temperature": 0.5},
    {"typical_p": 0.6},
    {"typical_p": 0.6, "top_k": 500, "top_p": 0.9, "min_p": 0.01, "temperature": 0.9},
    {"top_p": 0.0},
    {"min_p": 1.0},
]


def a_row(kind: str, seed: int = 0) -> Row:
    random = np.random.default_rng(seed)
    row: Row = random.standard_normal(SIZE).astype(np.float32)
    if kind == "sharp":
        row[random.integers(0, SIZE, 30)] += np.linspace(16, 8, 30, dtype=np.float32)
    if kind == "holes":
        row[random.random(SIZE) < 0.9] = -np.inf
    return row


def whole_chain(row: Row, **params: Any) -> Row:
    """The probabilities with which llama.cpp's own chain would draw, by token id."""
    data = np.zeros(SIZE, dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
    data["id"], data["logit"] = np.arange(SIZE), row
    pointer = ctypes.cast(data.ctypes.data, llama_cpp.llama_token_data_p)
    array = llama_cpp.llama_token_data_array(pointer, SIZE, -1, False)
    for link in (*tail_links(SamplingParams(**params), SIZE), llama_cpp.llama_sampler_init_dist(1)):
        llama_cpp.llama_sampler_apply(link, ctypes.byref(array))
        llama_cpp.llama_sampler_free(link)
    left = data[: array.size]
    probabilities = np.zeros(SIZE, dtype=np.float32)
    probabilities[left["id"]] = left["p"]
    return probabilities


def draws(row: Row, count: int, **params: Any) -> list[int]:
    tail = Tail(SamplingParams(**params), SIZE, CALLS, PositionSeeds(7, 0))
    tokens = [tail.choose(row, seq, 0) for seq in range(count)]
    tail.close()
    return tokens


@pytest.mark.parametrize("kind", ["flat", "sharp"])
@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_draws_have_the_probabilities_of_llamas_whole_chain(kind: str, params: dict[str, Any]) -> None:
    row, count = a_row(kind), 300 if params.get("typical_p") and not params.get("top_k") else 3000
    expected = whole_chain(row, **params).astype(np.float64) * count

    drawn = Counter(draws(row, count, **params))

    assert all(expected[token] > 0 for token in drawn)
    # By groups that expect 20 or more each, cut along the ids as well as along the probabilities.
    for order in (np.arange(SIZE), np.argsort(-expected)):
        observed = np.bincount(list(drawn.elements()), minlength=SIZE)[order]
        group = np.floor(np.cumsum(expected[order]) / 20 - 1e-9).astype(int).clip(0)
        hopes, sights = np.bincount(group, expected[order]), np.bincount(group, observed)
        if hopes[-1] < 5:
            hopes, sights = hopes[:-1], sights[:-1]
        hopes, sights = hopes[hopes > 0], sights[hopes > 0]
        chi_square = float(((sights - hopes) ** 2 / hopes).sum())
        assert chi_square < len(hopes) + 4 * np.sqrt(2 * len(hopes)) + 4


@pytest.mark.parametrize("kind", ["flat", "sharp", "holes"])
@pytest.mark.parametrize("p", [0.001, 0.3, 0.9, 0.95, 0.999, 1 - 1e-6])
def test_top_p_keeps_the_tokens_that_llama_keeps(kind: str, p: float) -> None:
    row = a_row(kind, seed=3)
    weights = np.exp(row - row.max())

    kept = nucleus(weights, float(weights.sum()) * p)

    # llama.cpp adds up in float32 and one by one: with a long tail its sum is wrong in the fourth digit.
    theirs = np.flatnonzero(whole_chain(row, top_p=p))
    mass, their_mass = (float(weights[ids].sum() / weights.sum()) for ids in (kept, theirs))
    assert mass == pytest.approx(their_mass, abs=1e-3)
    assert weights[kept].min() >= np.delete(weights, kept).max(initial=0)
    assert mass == pytest.approx(p, abs=max(1e-5, float(weights[kept].min() / weights.sum()))), "no more than needed"


@pytest.mark.parametrize("count", [1, 7, 500, SIZE, 2 * SIZE])
@pytest.mark.parametrize("kind", ["flat", "sharp", "holes"])
def test_the_likeliest_are_the_likeliest(kind: str, count: int) -> None:
    row = a_row(kind)

    found = likeliest(row, count)

    finite = int(np.isfinite(row).sum())
    assert len(set(found.tolist())) == min(count, finite)
    assert sorted(row[found]) == sorted(np.sort(row)[::-1][: min(count, finite)])


def test_equal_logits_are_all_drawn() -> None:
    row = np.zeros(SIZE, dtype=np.float32)

    tokens = draws(row, 2000)

    assert len(set(tokens)) > 1800
    assert np.bincount(np.array(tokens) // (SIZE // 10)).min() > 140


def test_what_is_forbidden_is_never_drawn() -> None:
    row = a_row("holes")

    for params in PARAMS:
        assert np.isfinite(row[draws(row, 100, **params)]).all()


def test_a_second_attempt_knows_nothing_of_the_first() -> None:
    row = np.zeros(SIZE, dtype=np.float32)
    tail = Tail(SamplingParams(), SIZE, CALLS, PositionSeeds(7, 0))

    pairs = [(tail.choose(row, seq, 0), tail.choose(row, seq, 1)) for seq in range(500)]
    again = [(tail.choose(row, seq, 0), tail.choose(row, seq, 1)) for seq in range(500)]

    assert pairs == again
    assert abs(float(np.corrcoef(np.array(pairs).T)[0, 1])) < 0.15


def test_a_token_that_was_cut_counts_as_unlikely_as_the_last_that_was_kept() -> None:
    row = np.array([3.0, 2.0, 1.0], dtype=np.float32)
    candidates = Candidates(np.arange(3), row)

    candidates.apply(CALLS, [link := llama_cpp.llama_sampler_init_top_k(2), draw := CALLS.draw(1)])
    CALLS.free(link)
    CALLS.free(draw)

    assert candidates.size == 2
    assert candidates.probability(0) == pytest.approx(1 / (1 + np.exp(-1)))
    assert candidates.probability(2) == candidates.probability(1)
