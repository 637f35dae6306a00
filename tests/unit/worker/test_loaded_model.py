"""A loaded model: a job that it cannot take is refused, and a hanging decode is noticed."""

import threading
import time
from collections.abc import Sequence

import pytest

from shared.bodies.tools import Tool
from shared.catalogue import ModelEntry
from shared.errors import BadRequestError, DroverError, WorkerLostError
from shared.events import TokensEvent
from tests.fakes.sequences import Collector, a_job, a_request
from worker.engine.base import Piece
from worker.engine.simulated import SimulatedEngine, SimulatedOptions
from worker.loaded_model import LoadedModel

ENTRY = ModelEntry(name="m", file="m", kind="chat", context_length=512)


class HangingEngine(SimulatedEngine):
    """Decodes only while the gate is open."""

    def __init__(self) -> None:
        super().__init__(ENTRY, SimulatedOptions(slots=2, step_ms=0, prompt_token_ms=0, answer_tokens=100_000))
        self.gate = threading.Event()
        self.has_begun = threading.Event()
        self.is_closed = False

    def decode(self, pieces: Sequence[Piece]) -> None:
        self.has_begun.set()
        self.gate.wait(20)
        time.sleep(0.001)
        super().decode(pieces)

    def close(self) -> None:
        self.is_closed = True


def a_model(engine: SimulatedEngine) -> LoadedModel:
    return LoadedModel(ENTRY, engine, stall_s=5, prefill_stall_s=60)


def test_a_hanging_prefill_counts_as_stalled_only_after_its_longer_limit() -> None:
    engine = HangingEngine()
    model = a_model(engine)
    model.submit(a_request())
    assert engine.has_begun.wait(20)

    now = time.monotonic()

    assert [model.is_stalled(now + seconds) for seconds in (0, 6, 61)] == [False, False, True]
    engine.gate.set()
    model.close()


def test_a_hanging_stream_counts_as_stalled() -> None:
    engine, collector = HangingEngine(), Collector()
    model = a_model(engine)
    engine.gate.set()
    model.submit(a_request(a_job(max_tokens=None), collector))
    collector.wait_for_tokens(3)

    engine.gate.clear()
    time.sleep(0.02)

    now = time.monotonic()
    assert [model.is_stalled(now + seconds) for seconds in (0, 6)] == [False, True]
    engine.gate.set()
    model.close()


def test_closing_drops_unfinished_jobs_silently_and_frees_the_engine() -> None:
    engine, collector = HangingEngine(), Collector()
    engine.gate.set()
    model = a_model(engine)
    model.submit(a_request(a_job(max_tokens=None), collector))
    collector.wait_for_tokens(1)

    model.close()

    assert engine.is_closed
    assert collector.finals == []
    assert engine.open_samplers == 0


def test_the_prompt_tells_the_model_of_its_tools() -> None:
    engine = SimulatedEngine(ENTRY, SimulatedOptions(step_ms=0))
    model = a_model(engine)

    answer = model.submit(a_request(a_job(tools=(Tool(name="get_weather"),))))

    prompt = b"".join(engine.token_bytes[token] for token in answer.prompt)
    assert b'"name":"get_weather"' in prompt
    model.close()


@pytest.mark.parametrize("template", ["{{ raise_exception('no such role') }}", "{{ nonsense"])
def test_a_template_that_fails_ends_the_job_and_not_the_model(template: str) -> None:
    engine, served = SimulatedEngine(ENTRY, SimulatedOptions(step_ms=0)), Collector()
    model = a_model(engine)

    good, engine.template = engine.template, template
    with pytest.raises(DroverError):
        model.submit(a_request(a_job("bad")))
    engine.template = good
    model.submit(a_request(a_job("good"), served))

    assert served.wait().finish_reason == "length"
    model.close()


def test_unknown_jobs_are_ignored() -> None:
    model = a_model(SimulatedEngine(ENTRY, SimulatedOptions(step_ms=0)))

    model.cancel("nobody", 1)
    model.expire("nobody", 1)
    model.abandon("nobody", 1)

    assert model.unfinished == 0
    model.close()


def test_messages_that_make_no_prompt_are_refused() -> None:
    engine = SimulatedEngine(ENTRY, SimulatedOptions(step_ms=0))
    engine.template = "{{ '' }}"
    model = a_model(engine)

    with pytest.raises(BadRequestError):
        model.submit(a_request())

    model.close()


def test_tokens_that_the_model_does_not_know_are_not_continued() -> None:
    model = a_model(SimulatedEngine(ENTRY, SimulatedOptions(step_ms=0)))

    with pytest.raises(WorkerLostError):
        model.submit(a_request(epoch=2, logged=[TokensEvent("j1", 1, 1, [10**6], ["?"])]))

    model.close()


def test_the_kv_usage_grows_with_the_answer_and_falls_at_its_end() -> None:
    engine, collector = HangingEngine(), Collector()
    engine.gate.set()
    model = a_model(engine)

    model.submit(a_request(a_job(max_tokens=None), collector))
    collector.wait_for_tokens(2)
    used = model.kv_usage_ratio
    model.cancel("j1", 1)
    collector.wait()

    assert 0 < used < 1
    model.close()
    assert model.kv_usage_ratio == 0
