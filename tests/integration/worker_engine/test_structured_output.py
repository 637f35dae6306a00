"""Structured output through the batcher: every engine's answers are valid, also those that two workers made."""

import json
from typing import Any

import pytest

from shared.errors import BadRequestError
from shared.job import Constraint
from tests.fakes.schema_check import is_valid
from tests.fakes.sequences import Collector, a_job, a_request
from worker.loaded_model import LoadedModel

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "yes": {"type": "boolean"},
        "count": {"type": "integer", "minimum": 10, "maximum": 99},
        "word": {"enum": ["red", "green", "blue"]},
    },
    "required": ["yes", "count", "word"],
}
FIELDS: dict[str, Any] = {
    "constraint": Constraint(kind="json_schema", source=json.dumps(SCHEMA)),
    "max_tokens": 200,
    "temperature": 1.0,
    "seed": 5,
}


def answer(model: LoadedModel, job_id: str = "j1", *, logged: list[Any] | None = None, **fields: Any) -> Collector:
    collector = Collector()
    life = {"epoch": 2, "logged": logged} if logged else {}
    model.submit(a_request(a_job(job_id, **{**FIELDS, **fields}), collector, **life))
    collector.wait()
    return collector


def test_an_answer_keeps_to_its_schema_and_ends_by_itself(model: LoadedModel) -> None:
    for seed in range(5):
        said = answer(model, seed=seed)
        assert said.final.finish_reason == "stop"
        assert is_valid(json.loads(said.text), SCHEMA)


@pytest.mark.parametrize("life", [1, 4, 9])
def test_an_object_that_two_workers_made_is_whole(model: LoadedModel, life: int) -> None:
    whole = answer(model)
    begun = whole.events[:life]

    rest = answer(model, logged=begun)

    assert [token for event in begun for token in event.token_ids] + rest.token_ids == whole.token_ids
    assert "".join(text for event in begun for text in event.texts) + rest.text == whole.text


def test_a_refused_schema_is_a_bad_request_before_anything_is_said(model: LoadedModel, engine: Any) -> None:
    with pytest.raises(BadRequestError) as refused:
        answer(model, constraint=Constraint(kind="json_schema", source='{"not": {}}'))

    assert refused.value.param == "response_format"
    assert model.unfinished == 0


def test_constrained_and_free_answers_share_a_batch(model: LoadedModel, engine: Any) -> None:
    collectors = []
    for index in range(8):
        collector = Collector()
        fields = {**FIELDS, "seed": index} if index % 2 else {"max_tokens": 20}
        model.submit(a_request(a_job(f"job-{index}", **fields), collector))
        collectors.append(collector)

    for index, collector in enumerate(collectors):
        collector.wait()
        if index % 2:
            assert is_valid(json.loads(collector.text), SCHEMA)

    assert engine.open_samplers == 0
