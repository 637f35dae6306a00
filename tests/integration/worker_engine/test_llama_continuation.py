"""A sampler that is made anew from token ids goes on as the one that was lost would have."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.catalogue import ModelEntry
from shared.job import Constraint, SamplingParams
from tests.fakes.random_gguf import Shape, write_random_gguf
from tests.fakes.sequences import a_job
from worker.engine.base import Piece
from worker.engine.llama import LlamaOptions
from worker.engine.llama_factory import LlamaFactory

LENGTH = 24
PROMPT = [5, 6, 7, 8, 5, 6, 7]
JSON = Constraint(kind="json_object")
JOBS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0, "repeat_penalty": 1.4, "repeat_last_n": 6},
    {"presence_penalty": 2.0, "frequency_penalty": 1.0, "top_p": 0.9},
    {"dry_multiplier": 4.0, "dry_allowed_length": 1, "top_k": 3},
    {"typical_p": 0.7, "min_p": 0.01},
    {"logit_bias": {9: 4.0, 10: -100.0}, "min_tokens": 12, "temperature": 1.5},
    {"ignore_eos": True, "temperature": 2.0},
    {"constraint": JSON, "temperature": 1.0, "repeat_penalty": 1.1},
    {"constraint": JSON, "temperature": 0.0},
]


@pytest.fixture(scope="module", params=[0, 20_000], ids=["small vocabulary", "large vocabulary"])
def llama(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    shape = Shape(extra_tokens=request.param, layers=1, width=32)
    path = write_random_gguf(tmp_path_factory.mktemp("models") / "random.gguf", shape)
    entry = ModelEntry(name="m", file=path.name, kind="chat", context_length=256)
    engine = LlamaFactory(LlamaOptions(slots=1, batch_tokens=64, threads=1)).open(entry, path)
    engine.decode([Piece(0, PROMPT, 0, True)])
    yield engine
    engine.close()


def show(engine: Any, seq: int) -> None:
    """What the model would say at this place: few tokens are likely, so that answers repeat themselves."""
    random = np.random.default_rng(seq)
    row = random.standard_normal(engine.vocabulary_size).astype(np.float32)
    row[np.arange(8, 40)] += 6
    engine._logits[0] = row


def say(engine: Any, sampler: Any, first: int) -> list[int]:
    tokens = []
    for seq in range(first, LENGTH + 1):
        show(engine, seq)
        tokens.append(sampler.sample(0, seq).token)
    sampler.close()
    return tokens


@pytest.mark.parametrize("fields", JOBS, ids=str)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, LENGTH - 1), seed=st.integers(-(2**63), 2**63 - 1), choice=st.integers(0, 3))
def test_a_continued_answer_is_the_uninterrupted_one(
    llama: Any, fields: dict[str, Any], cut: int, seed: int, choice: int
) -> None:
    job = a_job(**{"temperature": 1.0, "seed": seed, **fields})
    whole = say(llama, llama.new_sampler(job, PROMPT, [], choice), 1)

    rest = say(llama, llama.new_sampler(job, PROMPT, whole[:cut], choice), cut + 1)

    assert whole[:cut] + rest == whole
    assert llama.open_samplers == 0


@pytest.mark.parametrize("version", [1, 2])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, LENGTH - 1), seed=st.none() | st.integers(0, 2**40))
def test_mirostat_goes_on_where_it_was_once_it_has_seen_the_rows_again(
    llama: Any, version: int, cut: int, seed: int | None
) -> None:
    job = a_job(sampling=SamplingParams(mirostat=version, mirostat_tau=2.0, mirostat_eta=0.5, seed=seed))
    whole_sampler = llama.new_sampler(job, PROMPT, [], 0)
    whole = say(llama, whole_sampler, 1)

    later = llama.new_sampler(job, PROMPT, whole[:cut], 0)
    for seq, token in enumerate(whole[:cut], start=1):
        show(llama, seq)
        later.replay(0, seq, token)
    rest = say(llama, later, cut + 1)

    assert later._chooser._mu == pytest.approx(whole_sampler._chooser._mu, rel=1e-5) or seed is None
    assert seed is None or whole[:cut] + rest == whole


def test_the_penalties_change_what_is_said(llama: Any) -> None:
    """Else the tests above would show nothing."""
    answers = []
    for fields in ({}, JOBS[1], JOBS[2], JOBS[3], JOBS[5]):
        job = a_job(**{"temperature": 1.0, "seed": 1, **fields})
        answers.append(say(llama, llama.new_sampler(job, PROMPT, [], 0), 1))

    assert len({tuple(answer) for answer in answers}) == len(answers)
