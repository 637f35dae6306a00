import asyncio
import re
import time

import pytest

from shared.ledger import Claimed, Hint, Ledger
from shared.telemetry import configure_metrics, render_metrics
from tests.integration.worker_jobs.workers import Jobs
from worker.broker import Broker
from worker.reaper import Reaper

HINTS = [
    Hint("job", "sim", "interactive"),
    Hint("job", "sim", "batch"),
    Hint("job", "sim", "interactive", is_begun=True),
]


@pytest.fixture
def broker(jobs: Jobs) -> Broker:
    return Broker(jobs.app)


@pytest.fixture
def reaper(ledger: Ledger, broker: Broker) -> Reaper:
    return Reaper(ledger, broker, worker_id="w", lease_ms=100)


async def hints(jobs: Jobs) -> int:
    return sum([await jobs.client.llen(key) async for key in jobs.client.scan_iter("q:model.sim*")])  # type: ignore[misc]


async def reap_for(reaper: Reaper, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reaper.reap()
        await asyncio.sleep(0.05)


async def test_a_queue_that_does_not_exist_is_empty(broker: Broker) -> None:
    assert broker.is_empty("sim")


async def test_a_queue_with_a_hint_of_any_priority_is_not_empty(broker: Broker, jobs: Jobs) -> None:
    for hint in HINTS:
        assert broker.send(hint)
        assert not broker.is_empty("sim")
        await jobs.client.flushall()
        assert broker.is_empty("sim")


async def test_the_job_of_a_dead_worker_gets_a_new_hint(reaper: Reaper, ledger: Ledger, jobs: Jobs) -> None:
    job = await jobs.accept()
    assert isinstance(ledger.claim(job.id, worker_id="dead", claim_id="c", lease_ms=50), Claimed)

    await reap_for(reaper, 0.3)

    assert await hints(jobs) == 1
    assert (await jobs.ledger.status(job.id, "tenant")).state == "queued"


@pytest.mark.parametrize(
    ("timeout_s", "ended_by", "outcome"),
    [(60.0, "nobody", "requeued"), (0.01, "its deadline", "expired"), (60.0, "its deliveries", "dead")],
)
async def test_what_becomes_of_a_job_without_a_worker_is_counted(
    reaper: Reaper, ledger: Ledger, jobs: Jobs, timeout_s: float, ended_by: str, outcome: str
) -> None:
    configure_metrics("worker")
    before = reaped(outcome)
    job = await jobs.accept(timeout_s=timeout_s)
    ledger.claim(job.id, worker_id="dead", claim_id="c", lease_ms=50)
    if ended_by == "its deliveries":
        await jobs.client.hset(f"job:{job.id}", mapping={"alone": 1, "deliveries": 3})  # type: ignore[misc]

    await reap_for(reaper, 0.3)

    assert reaped(outcome) - before == 1


def reaped(outcome: str) -> float:
    """How many jobs this process' reaper has counted under the outcome."""
    page = render_metrics()[0].decode()
    return sum(
        map(float, re.findall(rf'^drover_jobs_reaped_total{{.*outcome="{outcome}".*}} (\S+)$', page, re.MULTILINE))
    )


async def test_several_lost_hints_are_sent_again_while_the_queue_is_empty(reaper: Reaper, jobs: Jobs) -> None:
    for _ in range(3):
        await jobs.accept()

    await reap_for(reaper, 1.5)

    assert await hints(jobs) == 3


async def test_a_queue_that_is_only_slow_gets_no_more_hints(reaper: Reaper, jobs: Jobs) -> None:
    for _ in range(3):
        await jobs.send()

    await reap_for(reaper, 1.5)

    assert await hints(jobs) == 3


async def test_a_lost_hint_is_sent_again_though_the_queue_is_never_empty(
    reaper: Reaper, ledger: Ledger, jobs: Jobs
) -> None:
    lost, younger, hinted = await jobs.accept(), await jobs.accept(), await jobs.send()
    for job in (younger, hinted):
        await jobs.client.hincrby(f"job:{job.id}", "accepted_ms", 1500)  # type: ignore[misc]
    ledger.claim(younger.id, worker_id="other", claim_id="c", lease_ms=60_000)

    await reap_for(reaper, 1.5)

    assert await hints(jobs) == 2
    assert (await jobs.ledger.status(lost.id, "tenant")).state == "queued"


async def test_a_broker_that_is_away_costs_a_hint_and_no_exception(ledger: Ledger) -> None:
    from shared.hints import celery_app

    away = Broker(celery_app("redis://127.0.0.1:1/0"))

    assert not away.send(HINTS[0])
    away.close()
