"""What every engine keeps: the same tests run over llama.cpp and over the simulated engine."""

import time
from typing import Any

import pytest

from shared.errors import ModelUnavailableError, WorkerLostError
from tests.fakes.sequences import Collector, a_job, a_request
from worker.engine.base import Engine
from worker.loaded_model import LoadedModel


def start(model: LoadedModel, job_id: str = "j1", **fields: Any) -> Collector:
    collector = Collector()
    request = {name: fields.pop(name) for name in ("epoch", "logged") if name in fields}
    model.submit(a_request(a_job(job_id, **fields), collector, **request))
    return collector


def answer(model: LoadedModel, job_id: str = "j1", **fields: Any) -> Collector:
    collector = start(model, job_id, **fields)
    collector.wait()
    return collector


def test_an_answer_is_the_same_alone_and_in_company(model: LoadedModel) -> None:
    texts = {f"job-{index}": "What is that? " * (index + 1) for index in range(6)}
    alone = {job_id: answer(model, job_id, text=text, max_tokens=30).token_ids for job_id, text in texts.items()}

    together = {job_id: start(model, job_id, text=text, max_tokens=30) for job_id, text in texts.items()}
    for collector in together.values():
        collector.wait()

    assert {job_id: collector.token_ids for job_id, collector in together.items()} == alone


def test_the_text_of_an_answer_is_its_tokens_bytes(model: LoadedModel, engine: Engine) -> None:
    collector = answer(model, temperature=1.0, seed=4, max_tokens=60)

    spelled = b"".join(engine.token_bytes[token] for token in collector.token_ids)
    assert collector.text == spelled.decode(errors="replace")


@pytest.mark.parametrize("life", [1, 13, 29])
@pytest.mark.parametrize("sampling", [{}, {"temperature": 0.9, "seed": 11}, {"repeat_penalty": 1.3}])
def test_a_continued_answer_is_the_one_that_was_begun(model: LoadedModel, life: int, sampling: dict[str, Any]) -> None:
    whole = answer(model, max_tokens=30, ignore_eos=True, **sampling)

    rest = answer(model, max_tokens=30, ignore_eos=True, epoch=2, logged=whole.events[:life], **sampling)

    assert rest.token_ids == whole.token_ids[life:]
    begun = "".join(text for event in whole.events[:life] for text in event.texts)
    assert begun + rest.text == whole.text
    assert rest.final.usage.completion_tokens == whole.final.usage.completion_tokens


def test_a_stop_string_ends_the_answer_and_is_not_shown(model: LoadedModel) -> None:
    whole = answer(model, temperature=1.0, seed=1, max_tokens=60, ignore_eos=True).text
    stop = whole[20:23]

    stopped = answer(model, temperature=1.0, seed=1, max_tokens=60, ignore_eos=True, stop=(stop,))

    assert stopped.final.finish_reason == "stop"
    assert stopped.text == whole[: whole.index(stop)]


def test_a_seed_makes_an_answer_repeatable(model: LoadedModel) -> None:
    first = answer(model, temperature=1.0, seed=5, max_tokens=20)
    again = answer(model, temperature=1.0, seed=5, max_tokens=20)
    other = answer(model, temperature=1.0, seed=6, max_tokens=20)

    assert first.token_ids == again.token_ids != other.token_ids


def test_a_cancelled_answer_ends_soon_and_frees_its_slot(model: LoadedModel) -> None:
    collector = start(model, max_tokens=None, ignore_eos=True)
    collector.wait_for_tokens(3)

    model.cancel("j1", 1)
    collector.wait()

    assert collector.final.finish_reason == "cancelled"
    assert collector.final.last_seq == len(collector.events)
    assert (model.busy_slots, model.unfinished) == (0, 0)


def test_an_expired_answer_ends_with_an_error(model: LoadedModel) -> None:
    collector = start(model, max_tokens=None, ignore_eos=True)
    collector.wait_for_tokens(1)

    model.expire("j1", 1)
    collector.wait()

    assert (collector.final.finish_reason, collector.error_code) == ("error", "deadline_exceeded")


def test_nothing_comes_from_an_abandoned_job(model: LoadedModel) -> None:
    collector = start(model, max_tokens=None, ignore_eos=True)
    collector.wait_for_tokens(1)

    model.abandon("j1", 1)
    seen = len(collector.events)
    answer(model, "other", max_tokens=20)

    assert len(collector.events) == seen
    assert collector.finals == []


def test_a_prompt_beyond_the_context_is_refused_and_its_neighbours_go_on(model: LoadedModel) -> None:
    neighbour = start(model, "neighbour", max_tokens=20)

    refused = answer(model, "long", text="x y " * 300)

    assert refused.error_code == "context_length_exceeded"
    assert neighbour.wait().finish_reason in ("length", "stop")


def test_an_answer_stops_where_the_context_is_full(model: LoadedModel, engine: Engine) -> None:
    collector = answer(model, max_tokens=None, ignore_eos=True)

    assert collector.final.finish_reason == "length"
    usage = collector.final.usage
    assert usage.prompt_tokens + usage.completion_tokens == engine.context_length


def test_a_continuation_on_another_file_is_an_error(model: LoadedModel) -> None:
    begun = answer(model, max_tokens=3)

    with pytest.raises(WorkerLostError):
        start(model, logged=begun.events, model_digest="another", epoch=2)


def test_many_short_jobs_leave_nothing_behind(model: LoadedModel, engine: Any) -> None:
    sampling = {"temperature": 0.8, "top_p": 0.9, "repeat_penalty": 1.1}

    collectors = [start(model, f"job-{index}", max_tokens=2, **sampling) for index in range(200)]
    for collector in collectors:
        collector.wait()

    assert (model.unfinished, model.busy_slots) == (0, 0)
    assert engine.open_samplers == 0


def test_a_model_without_work_is_not_stalled(model: LoadedModel) -> None:
    answer(model, max_tokens=2)

    assert not model.is_stalled(time.monotonic() + 3600)


def test_a_closed_model_takes_nothing_and_may_be_closed_again(model: LoadedModel) -> None:
    collector = start(model, max_tokens=None, ignore_eos=True)

    model.close()
    model.close()

    assert collector.finals == []
    with pytest.raises(ModelUnavailableError):
        start(model)
