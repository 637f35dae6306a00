"""Logprobs are those of a softmax over the raw logits, right to six digits also over a large vocabulary."""

from typing import Any

import numpy as np
import pytest

from shared.events import MIN_LOGPROB
from shared.job import Constraint, SamplingParams
from tests.fakes.sequences import a_job
from worker.engine.base import Piece
from worker.engine.llama_candidates import Row
from worker.engine.llama_logprobs import token_logprobs

SIZE = 151_936
NAMES = [str(token).encode() for token in range(SIZE)]


def a_row(spread: float, shift: float = 0.0) -> Row:
    row: Row = (np.random.default_rng(2).standard_normal(SIZE) * spread + shift).astype(np.float32)
    return row


@pytest.mark.parametrize("spread", [0.01, 1.0, 8.0])
@pytest.mark.parametrize("shift", [0.0, 500.0, -80.0])
def test_they_are_right_to_six_digits(spread: float, shift: float) -> None:
    row = a_row(spread, shift)
    wide = row.astype(np.float64)
    expected = wide - wide.max() - np.log(np.exp(wide - wide.max()).sum())

    found = token_logprobs(row, 77, 20, NAMES)

    best = sorted(range(SIZE), key=lambda token: (-row[token], token))[:20]
    assert [one.token_id for one in found] == [77, *best]
    assert [one.logprob for one in found] == pytest.approx(expected[[77, *best]].tolist(), abs=1e-5)
    assert [one.bytes for one in found] == [NAMES[token] for token in (77, *best)]


@pytest.mark.parametrize("top", [0, 1, 20])
def test_as_many_as_are_asked_for(top: int) -> None:
    assert len(token_logprobs(a_row(1.0), 5, top, NAMES)) == top + 1


def test_equal_tokens_come_in_the_order_of_their_ids() -> None:
    row = np.zeros(SIZE, dtype=np.float32)

    assert [one.token_id for one in token_logprobs(row, 9, 5, NAMES)] == [9, 0, 1, 2, 3, 4]


def test_what_cannot_be_has_the_least_logprob() -> None:
    row = a_row(1.0)
    row[3] = -np.inf

    assert token_logprobs(row, 3, 0, NAMES)[0].logprob == MIN_LOGPROB


def test_they_are_of_the_raw_logits_whatever_was_drawn_from(open_llama: Any) -> None:
    engine = open_llama()
    engine.decode([Piece(0, [5, 6, 7], 0, True)])
    raw = engine.logits(0).copy()
    params = SamplingParams(temperature=0.3, top_k=3, logit_bias={9: 50.0}, presence_penalty=2.0)
    job = a_job(sampling=params, top_logprobs=2, constraint=Constraint(kind="gbnf", source="root ::= [a-z]+"))

    token, logprobs = engine.new_sampler(job, [], [], 0).sample(0, 1)

    assert logprobs == token_logprobs(raw, token, 2, engine.token_bytes)
    assert (engine.logits(0) == raw).all()
