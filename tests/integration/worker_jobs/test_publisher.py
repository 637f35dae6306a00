from collections.abc import Callable, Iterator

import pytest
import redis

from shared.events import FinalEvent, TokensEvent
from shared.ledger import Claimed, Ledger
from tests.integration.worker_jobs.workers import Jobs
from worker.publisher import Publisher
from worker.running import RunningJob, RunningJobs

Claim = Callable[[str], RunningJob]


class LossyLedger(Ledger):
    """A real ledger whose answers get lost on their way back, a few times."""

    losses = 0

    def append(self, events):  # type: ignore[no-untyped-def]
        answers = super().append(events)
        if self.losses:
            self.losses -= 1
            raise redis.ConnectionError("the answer was lost")
        return answers


@pytest.fixture
def running_jobs() -> RunningJobs:
    return RunningJobs()


@pytest.fixture
def lossy_ledger(client: redis.Redis) -> LossyLedger:
    return LossyLedger(client)


@pytest.fixture
def publisher(lossy_ledger: LossyLedger, running_jobs: RunningJobs) -> Iterator[Publisher]:
    publisher = Publisher(lossy_ledger, running_jobs, give_up_s=1.0)
    publisher.start()
    yield publisher
    publisher.stop()


@pytest.fixture
def claim(ledger: Ledger, publisher: Publisher) -> Claim:
    def claim(job_id: str) -> RunningJob:
        claimed = ledger.claim(job_id, worker_id="w", claim_id=job_id, lease_ms=10_000)
        assert isinstance(claimed, Claimed)
        return RunningJob(claimed.job, epoch=claimed.epoch, seq=claimed.seq, notify=publisher.notify)

    return claim


def say(running: RunningJob, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        running.emit(TokensEvent(running.id, seq, running.epoch, [seq], [f" {seq}"]))


def logged(ledger: Ledger, job_id: str) -> list[int]:
    return [token for event in ledger.read_log(job_id) if isinstance(event, TokensEvent) for token in event.token_ids]


async def test_what_several_jobs_emit_is_written_in_order(
    ledger: Ledger, publisher: Publisher, running_jobs: RunningJobs, claim: Claim, jobs: Jobs
) -> None:
    running = [claim((await jobs.accept()).id) for _ in range(3)]
    with running_jobs.hold(running[0]), running_jobs.hold(running[1]), running_jobs.hold(running[2]):
        for first in range(1, 100, 3):
            for job in running:
                say(job, first, first + 2)
        for job in running:
            job.emit(FinalEvent(job.id, 99, job.epoch, "stop"))
        for job in running:
            job.wait()

    assert [logged(ledger, job.id) for job in running] == [list(range(1, 100))] * 3
    assert [(await jobs.ledger.status(job.id, "tenant")).state for job in running] == ["done"] * 3
    assert len(ledger.read_log(running[0].id)) < 99


async def test_an_answer_that_is_lost_doubles_nothing(
    ledger: Ledger,
    lossy_ledger: LossyLedger,
    publisher: Publisher,
    running_jobs: RunningJobs,
    claim: Claim,
    jobs: Jobs,
) -> None:
    job = claim((await jobs.accept()).id)
    lossy_ledger.losses = 3

    with running_jobs.hold(job):
        say(job, 1, 10)
        assert publisher.flush(timeout_s=10)
        say(job, 11, 20)
        job.emit(FinalEvent(job.id, 20, job.epoch, "stop"))
        job.wait()

    assert logged(ledger, job.id) == list(range(1, 21))


async def test_a_job_is_abandoned_when_the_ledger_takes_nothing_for_too_long(
    lossy_ledger: LossyLedger, publisher: Publisher, running_jobs: RunningJobs, claim: Claim, jobs: Jobs
) -> None:
    job = claim((await jobs.accept()).id)
    lossy_ledger.losses = 1_000_000

    with running_jobs.hold(job):
        say(job, 1, 1)
        job.wait()

    assert (await jobs.ledger.status(job.id, "tenant")).state == "running"  # its lease runs out


async def test_a_fenced_job_is_over_and_its_neighbour_is_not(
    ledger: Ledger, publisher: Publisher, running_jobs: RunningJobs, claim: Claim, jobs: Jobs
) -> None:
    fenced, neighbour = claim((await jobs.accept()).id), claim((await jobs.accept()).id)
    ledger.release(fenced.id, fenced.epoch)

    with running_jobs.hold(fenced), running_jobs.hold(neighbour):
        say(fenced, 1, 2)
        say(neighbour, 1, 2)
        fenced.wait()
        assert publisher.flush(timeout_s=10)
        assert not neighbour.is_over

    assert logged(ledger, fenced.id) == []
    assert logged(ledger, neighbour.id) == [1, 2]


async def test_a_wanted_cancel_is_heard_with_the_next_tokens(
    ledger: Ledger, publisher: Publisher, running_jobs: RunningJobs, claim: Claim, jobs: Jobs
) -> None:
    job = claim((await jobs.accept()).id)
    await jobs.ledger.cancel(job.id, "tenant")

    with running_jobs.hold(job):
        say(job, 1, 1)
        assert publisher.flush(timeout_s=10)

        assert job.is_closed or job.is_over
