"""What real worker processes export of a job: when one is killed, and when one is told to end."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.fakes.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.integration.worker_jobs.conftest import StartWorker
from tests.integration.worker_jobs.workers import Jobs

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpReceiver]:
    """Exports come when a worker ends, and no sooner: what is there by then was flushed."""
    with otlp_receiver() as receiving:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiving.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
        yield receiving


async def test_after_a_kill_the_trace_has_the_requeue_and_the_claim_that_followed(
    jobs: Jobs, start_worker: StartWorker, collector: OtlpReceiver
) -> None:
    workers = [start_worker(preload="sim"), start_worker(preload="sim")]
    for worker in workers:
        worker.wait_ready()
    job = await jobs.send(max_tokens=150, traceparent=f"00-{TRACE_ID}-b7ad6b7169203331-01")
    await jobs.wait_for_tokens(job, 5)

    killed = await jobs.holder(job, workers)
    killed.kill()
    await jobs.result(job)
    (left,) = [worker for worker in workers if worker is not killed]
    left.terminate()
    await asyncio.to_thread(left.wait)

    spans = collector.trace(TRACE_ID)
    assert [span.name for span in spans] == ["requeue", "claim", "chat sim", "prefill", "finish"]
    claim = spans[1]
    assert (claim.attributes["drover.epoch"], claim.attributes["drover.worker.id"]) == (3, left.id)
    assert claim.attributes["drover.tokens_before"] >= 5
    assert {(told["service.name"], told["service.instance.id"]) for told in collector.resources} == {
        ("drover-worker", left.id)
    }
