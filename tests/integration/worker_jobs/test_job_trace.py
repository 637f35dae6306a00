"""The spans that a worker makes of a job, in memory; the ledger and the batcher are real."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.trace import StatusCode

from shared.events import TokensEvent
from shared.ledger import Claimed, Ledger
from tests.fakes.span_memory import SpanMemory, remembered_spans
from tests.integration.worker_jobs.job_side import JobSide
from tests.integration.worker_jobs.workers import MODEL, Jobs, expected_tokens
from worker.broker import Broker
from worker.engine.simulated import SimulatedFactory, SimulatedOptions
from worker.reaper import Reaper

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CHAT = f"chat {MODEL}"


@pytest.fixture
def memory() -> Iterator[SpanMemory]:
    with remembered_spans() as memory:
        yield memory


@pytest.fixture
def side(ledger: Ledger, jobs: Jobs, models_dir: Path) -> Iterator[JobSide]:
    factory = SimulatedFactory(SimulatedOptions(step_ms=1, load_ms=30, answer_tokens=100_000))
    side = JobSide(ledger, jobs.app, models_dir, factory=factory).start()
    yield side
    side.stop()


async def run(side: JobSide, job_id: str) -> None:
    thread = side.take_hint(job_id)
    await asyncio.to_thread(thread.join, 20)
    assert not thread.is_alive()


async def test_a_job_leaves_its_claim_load_prefill_answer_and_finish(
    jobs: Jobs, side: JobSide, memory: SpanMemory
) -> None:
    job = await jobs.accept(max_tokens=12, traceparent=TRACEPARENT, session_id="sess_1", stop=("never said",))

    await run(side, job.id)

    parents = {name: memory.parent_of(name) for name in memory.names()}
    assert parents == {"claim": None, "load model": "claim", CHAT: "claim", "prefill": CHAT, "finish": "claim"}
    claim, chat, prefill = memory.one("claim"), memory.one(CHAT), memory.one("prefill")
    assert claim.parent.span_id == int(TRACEPARENT.split("-")[2], 16)
    assert claim.attributes["drover.epoch"] == 1
    assert claim.attributes["drover.outcome"] == "length"
    assert 0 <= claim.attributes["drover.queue_wait_s"] < 20
    assert chat.attributes["gen_ai.usage.output_tokens"] == 12
    assert chat.attributes["gen_ai.response.finish_reasons"] == ("length",)
    asked = {name for name in chat.attributes if name.startswith("gen_ai.request.")}
    assert asked == {f"gen_ai.request.{name}" for name in ("model", "max_tokens", "temperature", "seed")}
    assert (chat.attributes["gen_ai.request.max_tokens"], chat.attributes["gen_ai.request.seed"]) == (12, 7)
    (first,) = chat.events
    assert chat.start_time <= prefill.start_time <= prefill.end_time == first.timestamp <= chat.end_time
    assert "never said" not in "".join(span.to_json() for span in memory.spans)


async def test_a_job_whose_model_was_there_has_waited_for_no_load(
    jobs: Jobs, side: JobSide, memory: SpanMemory
) -> None:
    with side.cache.use(MODEL):
        pass
    job = await jobs.accept(max_tokens=2, traceparent=TRACEPARENT)

    await run(side, job.id)

    assert memory.names() == [CHAT, "claim", "finish", "prefill"]


async def test_a_load_that_a_queued_job_waited_for_is_in_its_trace(
    jobs: Jobs, side: JobSide, memory: SpanMemory
) -> None:
    job = await jobs.accept(max_tokens=2, traceparent=TRACEPARENT)
    with side.cache.use(MODEL):  # as placement does it, for the queue and for no job
        pass

    await run(side, job.id)

    load, claim = memory.one("load model"), memory.one("claim")
    assert load.parent == claim.parent
    assert load.end_time <= claim.start_time


async def test_a_job_without_a_trace_leaves_nothing(jobs: Jobs, side: JobSide, memory: SpanMemory) -> None:
    job = await jobs.accept(max_tokens=2)

    await run(side, job.id)

    assert (await jobs.result(job))[1].finish_reason == "length"
    assert memory.spans == []


async def test_a_job_that_fails_says_with_which_code(jobs: Jobs, side: JobSide, memory: SpanMemory) -> None:
    job = await jobs.accept(prompt=(10**9,), traceparent=TRACEPARENT)

    await run(side, job.id)

    told = [memory.one(name) for name in ("claim", CHAT.replace("chat", "text_completion"))]
    assert [span.status.status_code for span in told] == [StatusCode.ERROR] * 2
    assert [span.attributes["error.type"] for span in told] == ["invalid_request_error"] * 2
    assert "vocabulary" not in "".join(span.to_json() for span in told)


async def test_the_life_after_a_lost_worker_is_in_the_same_trace(
    jobs: Jobs, ledger: Ledger, side: JobSide, memory: SpanMemory
) -> None:
    job = await jobs.accept(max_tokens=10, traceparent=TRACEPARENT)
    lost = ledger.claim(job.id, worker_id="killed", claim_id="c", lease_ms=1)
    assert isinstance(lost, Claimed)
    ledger.append([TokensEvent(job.id, 1, lost.epoch, expected_tokens(job)[:4], [""] * 4)])
    reaper = Reaper(ledger, Broker(jobs.app), worker_id="w", lease_ms=1)
    while "requeue" not in memory.names():
        reaper.reap()
        await asyncio.sleep(0.01)

    await run(side, job.id)

    requeue, claim = memory.one("requeue"), memory.one("claim")
    assert requeue.context.trace_id == claim.context.trace_id
    assert requeue.end_time <= claim.start_time
    assert claim.attributes["drover.epoch"] == lost.epoch + 2  # the reaper's own epoch keeps late writers out
    assert claim.attributes["drover.tokens_before"] == 4
    assert memory.one(CHAT).attributes["gen_ai.usage.output_tokens"] == 10


async def test_a_job_that_is_handed_over_has_no_outcome_yet(jobs: Jobs, side: JobSide, memory: SpanMemory) -> None:
    job = await jobs.accept(max_tokens=100_000, traceparent=TRACEPARENT)
    thread = side.take_hint(job.id)
    await jobs.wait_for_tokens(job, 3)

    side.handover.hand_over(2.0)
    await asyncio.to_thread(thread.join, 20)

    assert memory.one("claim").attributes["drover.outcome"] == "left"
    assert "gen_ai.response.finish_reasons" not in memory.one(CHAT).attributes
    assert "finish" not in memory.names()
