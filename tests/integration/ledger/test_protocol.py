"""The scripts under any order of workers, zombies, re-sends, cancels, releases and reaps, against a model of them."""

from asyncio import Runner
from collections import defaultdict
from collections.abc import Callable

import pytest
import redis
import redis.asyncio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.bodies.keys import Limits
from shared.errors import JobNotFoundError
from shared.events import FinalEvent, StoredEvent, TokensEvent, Usage, decode
from shared.ledger import AsyncLedger, Claimed, ClaimRefused, Lease, Ledger
from tests.integration.ledger.bench import make_job, redis_seconds
from tests.integration.ledger.protocol_model import PROMPT_TOKENS, Grip, ModelJob, check_log
from tests.integration.ledger.protocol_view import INDEXES, look

LONG_MS = 3_600_000
RESERVED = 1_000_000  # so much a job that one refund too many is seen at once
TOKENS_PER_MINUTE = 20 * RESERVED
LIMITS = Limits(requests_per_minute=1_000_000, tokens_per_minute=TOKENS_PER_MINUTE, concurrent_jobs=1000)

REASONS = st.sampled_from(["stop", "length", "cancelled", "error"])
SELDOM = st.sampled_from([False, False, False, True])  # or most jobs would be over before they ran
WORKERS = st.sampled_from(["w1", "w2", "w3"])
PRIORITIES = st.sampled_from(["interactive", "batch"])


class Protocol(RuleBasedStateMachine):
    """Every rule makes one call, says what it must answer, and notes what it must have changed."""

    jobs = Bundle("jobs")
    grips = Bundle("grips")

    def __init__(self, url: str):
        super().__init__()
        self.client = redis.Redis.from_url(url)
        self.client.flushall()
        self.ledger = Ledger(self.client)
        self.runner = Runner()
        self.async_client = redis.asyncio.Redis.from_url(url)
        self.gate = AsyncLedger(self.async_client)
        self.pubsub = self.client.pubsub(ignore_subscribe_messages=True)
        self.pubsub.psubscribe("c:*")
        self.pubsub.get_message(timeout=1)
        self.known: list[ModelJob] = []
        self.reaper: str | None = None
        self.quarantine: str | None = None
        self.claims = 0
        self.began = redis_seconds(self.client)

    @precondition(lambda self: len(self.known) < 8)
    @rule(target=jobs, priority=PRIORITIES, grace_s=st.sampled_from([3600.0, None]))
    def accept(self, priority: str, grace_s: float | None) -> ModelJob:
        job = make_job(
            max_tokens=RESERVED - PROMPT_TOKENS,
            prompt_tokens_bound=PROMPT_TOKENS,
            priority=priority,
            resume_grace_s=grace_s,
        )
        accepted = self.runner.run(self.gate.accept(job, LIMITS, max_queued_jobs=1000))
        assert not accepted.is_replay
        self.known.append(ModelJob(job))
        return self.known[-1]

    @rule(job=jobs)
    def accept_again(self, job: ModelJob) -> None:
        assert self.runner.run(self.gate.accept(job.job, LIMITS, max_queued_jobs=1000)).is_replay

    @rule(target=grips, job=jobs, worker=WORKERS, is_alone=st.booleans())
    def claim(self, job: ModelJob, worker: str, is_alone: bool):  # type: ignore[no-untyped-def]
        self.claims += 1
        return self._claim(job, worker, f"claim-{self.claims}", is_alone)

    @rule(target=grips, grip=grips)
    def claim_sent_again(self, grip: Grip):  # type: ignore[no-untyped-def]
        return self._claim(grip.job, grip.worker, grip.claim_id, grip.is_alone)

    def _claim(self, job: ModelJob, worker: str, claim_id: str, is_alone: bool):  # type: ignore[no-untyped-def]
        answer = self.ledger.claim(job.id, worker_id=worker, claim_id=claim_id, lease_ms=LONG_MS, is_alone=is_alone)
        is_sent_again = job.state == "running" and job.claim_id == claim_id
        if is_sent_again:
            job.is_lease_over = False
        elif job.state == "queued" and not job.is_late and job.is_quarantined and not is_alone:
            assert answer == ClaimRefused("quarantined", "tiny")
            return multiple()
        elif job.state == "queued" and not job.is_late:
            job.claim(worker, claim_id, is_alone)
        else:
            if job.state == "queued":
                job.close("expired", "deadline_exceeded")
            reasons = {"running": "leased", "dead": "dead", "expired": "expired"}
            assert answer == ClaimRefused(reasons.get(job.state, "final"))  # type: ignore[arg-type]
            return multiple()
        assert isinstance(answer, Claimed)
        assert (answer.job, answer.epoch, answer.seq) == (job.job, job.epoch, job.seq)
        assert (answer.stays_alone, answer.prompt_tokens) == (job.claims > 8, job.prompt_tokens or 0)
        assert answer.uncounted_tokens == job.uncounted_tokens
        if is_sent_again:
            return multiple()
        job.holder = Grip(job, worker, claim_id, job.epoch, job.seq, is_alone=is_alone)
        return job.holder

    @rule(grip=grips, is_newest=st.booleans(), how_many=st.integers(1, 4))
    def append(self, grip: Grip, is_newest: bool, how_many: int) -> None:
        grip = grip.newest if is_newest else grip
        event = self._tokens(grip, grip.seq + 1, how_many)
        is_held = grip.is_held

        (answer,) = self.ledger.append([event])

        assert answer == self._written(grip, is_held)
        if is_held:
            grip.job.log.append(event)
            grip.seq, grip.last_event = event.last_seq, event

    @rule(grip=grips)
    def append_sent_again(self, grip: Grip) -> None:
        if grip.last_event:
            assert self.ledger.append([grip.last_event]) == [self._written(grip, grip.epoch == grip.job.epoch)]

    @rule(grip=grips, first_seq=st.integers(1, 9))
    def append_elsewhere(self, grip: Grip, first_seq: int) -> None:
        if first_seq != grip.job.seq + 1:
            event = TokensEvent(grip.job.id, first_seq, grip.epoch, [0], ["not in any log"])
            assert self.ledger.append([event]) == ["fenced"]

    @rule(grips_=st.lists(grips, max_size=4), prompt_tokens=st.integers(0, 9))
    def renew(self, grips_: list[Grip], prompt_tokens: int) -> None:
        worker = grips_[0].worker if grips_ else "w1"
        leases = [Lease(grip.job.id, grip.epoch, prompt_tokens, prompt_tokens // 5) for grip in grips_]
        answers = self.ledger.renew(worker, leases, LONG_MS)
        assert answers == [self._renewed(grip, worker, prompt_tokens) for grip in grips_]

    def _renewed(self, grip: Grip, worker: str, prompt_tokens: int) -> str:
        if not grip.is_held or grip.worker != worker:
            return "lost"
        if grip.job.is_late:
            return "expired"
        grip.job.is_lease_over = False
        if prompt_tokens:
            grip.job.prompt_tokens, grip.job.uncounted_tokens = prompt_tokens, prompt_tokens // 5
        return "cancelled" if grip.job.cancel else "ok"

    @rule(grip=grips, is_newest=st.booleans(), reason=REASONS, off=st.sampled_from([0, 1, -1]))
    def finish(self, grip: Grip, is_newest: bool, reason: str, off: int) -> None:
        grip = grip.newest if is_newest else grip
        job, last_seq = grip.job, max(0, grip.seq + off)
        error = {"code": "inference_error"} if reason == "error" else None
        event = FinalEvent(job.id, last_seq, grip.epoch, reason, usage=Usage(10, last_seq), error=error)  # type: ignore[arg-type]

        answer = self.ledger.finish(event)

        if grip.is_held and last_seq == job.seq:
            assert answer == "ok"
            states = {"stop": "done", "length": "done", "cancelled": "cancelled", "error": "failed"}
            job.finish(states[reason], event)
        else:
            is_sent_again = job.is_final and job.epoch == grip.epoch
            assert answer == ("ok" if is_sent_again else "fenced")

    @rule(grip=grips, is_newest=st.booleans())
    def release(self, grip: Grip, is_newest: bool) -> None:
        grip = grip.newest if is_newest else grip
        job = grip.job
        answer = self.ledger.release(job.id, grip.epoch)
        if not grip.is_held:
            assert answer == ("ok" if job.released == grip.epoch else "fenced")
            return
        assert answer == "ok"
        job.release(grip.epoch)

    @rule(job=jobs, is_wanted=SELDOM)
    def cancel(self, job: ModelJob, is_wanted: bool) -> None:
        if not is_wanted and job.state == "queued":
            return
        status = self.runner.run(self.gate.cancel(job.id, "tenant-a"))
        if not job.is_final:
            job.cancel = True
        if job.state == "queued":
            job.close("cancelled")
        assert (status.state, status.seq, status.cancel) == (job.state, job.seq, job.cancel)

    @rule(job=jobs)
    def cancel_by_a_stranger(self, job: ModelJob) -> None:
        with pytest.raises(JobNotFoundError):
            self.runner.run(self.gate.cancel(job.id, "tenant-b"))

    @rule(jobs_=st.lists(jobs, max_size=4))
    def attend(self, jobs_: list[ModelJob]) -> None:
        self.runner.run(self.gate.attend([job.id for job in jobs_]))
        for job in jobs_:
            job.is_grace_over = False

    @rule(job=jobs)
    def look_at_the_wait(self, job: ModelJob) -> None:
        waiting = self.runner.run(self.gate.waiting(job.id, "tenant-a"))
        assert (waiting.state, waiting.load_progress) == (job.state, None)
        queued = [other for other in self.known if other.state == "queued"]
        assert (waiting.position is not None) == (job in queued)
        if waiting.position is not None:
            interactive = sum(other.job.priority == "interactive" for other in queued)
            is_batch = job.job.priority == "batch"
            assert waiting.position in (range(interactive, len(queued)) if is_batch else range(interactive))

    @rule(worker=WORKERS, is_wanted=st.booleans())
    def quarantine_changes_hands(self, worker: str, is_wanted: bool) -> None:
        if is_wanted:
            assert self.ledger.hold_quarantine(worker, LONG_MS) == (self.quarantine in (None, worker))
            self.quarantine = self.quarantine or worker
        else:
            self.ledger.leave_quarantine(worker)
            self.quarantine = None if self.quarantine == worker else self.quarantine

    @rule(job=jobs, is_over=SELDOM)
    def everybody_leaves(self, job: ModelJob, is_over: bool) -> None:
        if is_over and job.is_attended:
            self.client.zadd("jobs:attended", {job.id: 1})
            job.is_grace_over = True

    @rule(job=jobs)
    def lease_ends(self, job: ModelJob) -> None:
        if job.state == "running":
            self.client.zadd("jobs:leases", {job.id: 1})
            job.is_lease_over = True

    @rule(job=jobs)
    def hint_gets_lost(self, job: ModelJob) -> None:
        if job.state == "queued":
            self.client.zadd("jobs:hints", {job.id: 1})
            job.is_hint_due = True

    @rule(job=jobs, is_over=SELDOM)
    def deadline_passes(self, job: ModelJob, is_over: bool) -> None:
        if is_over and not job.is_final:
            self.client.hset(f"job:{job.id}", "deadline_ms", 1)
            self.client.zadd("jobs:hints", {job.id: 1}, xx=True)
            job.is_late = True

    @rule(worker=WORKERS)
    def reap(self, worker: str) -> None:
        self.client.delete("reaper:run")  # a slow machine is no gap between the rounds
        reaped = self.ledger.reap(worker_id=worker, lock_ms=LONG_MS)
        self.reaper = self.reaper or worker
        assert reaped.got_lock == (worker == self.reaper)
        if not reaped.got_lock:
            return
        found = defaultdict(set)
        for job in self.known:
            if job.state == "running" and job.is_lease_over:
                was_late = job.is_late
                found[job.reap_lease()].add(job.id)
                assert not (job.state == "queued" and was_late)
            elif job.state == "queued" and job.is_late:
                job.close("expired", "deadline_exceeded")
                found["expired"].add(job.id)
            elif job.state == "queued" and job.is_hint_due:
                found["unhinted"].add(job.id)
                job.is_hint_due = False
        abandoned = [job for job in self.known if job.is_attended and job.is_grace_over]
        for job in abandoned:
            job.cancel = True
            if job.state == "queued":
                job.close("cancelled")
        assert set(reaped.abandoned) == {job.id for job in abandoned}
        assert {hint.job_id for hint in reaped.requeued} == found["queued"]
        assert (set(reaped.expired), set(reaped.dead)) == (found["expired"], found["dead"])
        hinted_again = {hint.job_id for hint in reaped.unhinted + reaped.overtaken}
        still_queued = {job.id for job in self.known if job.state == "queued"}
        assert found["unhinted"] <= hinted_again <= still_queued | set(reaped.abandoned)

    @rule(job=jobs)
    def settle(self, job: ModelJob) -> None:
        self.runner.run(self.gate.settle(job.id))
        job.stored_times += job.is_final

    @invariant()
    def the_ledger_is_as_the_model_says(self) -> None:
        view = look(self.client, [job.id for job in self.known])
        assert sorted(entry.job_id for entry in view.outbox) == sorted(job.id for job in self.known if job.is_final)
        for job, status, events in zip(self.known, view.statuses, view.logs, strict=True):
            assert (status.state, status.seq, status.cancel) == (job.state, job.seq, job.cancel)
            assert status.is_stored == (job.stored_times > 0)
            check_log(job, events)
        queued, running = self._ids("queued"), self._ids("running")
        attended = self._which(lambda job: job.is_attended)
        batch = self._which(lambda job: job.state == "queued" and job.job.priority == "batch")
        quarantined = self._which(lambda job: job.state == "queued" and job.is_quarantined)
        assert [set(ids) for ids in view.indexes] == [
            queued,
            queued,
            running,
            queued | running,
            attended,
            batch,
            quarantined,
        ]
        assert (self.ledger.next_quarantined("tiny") is not None) == bool(quarantined)
        # What is taken of the limit is what open jobs reserve and final ones used, less what drained since.
        expected = sum(job.used if job.is_final else RESERVED for job in self.known)
        drained = (redis_seconds(self.client) - self.began) * TOKENS_PER_MINUTE / 60
        assert expected - drained <= view.taken <= expected + 1

    def _ids(self, state: str) -> set[bytes]:
        return self._which(lambda job: job.state == state)

    def _which(self, is_it: Callable[[ModelJob], bool]) -> set[bytes]:
        return {job.id.encode() for job in self.known if is_it(job)}

    def _tokens(self, grip: Grip, first_seq: int, how_many: int) -> TokensEvent:
        seqs = range(first_seq, first_seq + how_many)
        return TokensEvent(
            grip.job.id, first_seq, grip.epoch, [grip.epoch * 1000 + seq for seq in seqs], [str(seq) for seq in seqs]
        )

    def _written(self, grip: Grip, is_written: bool) -> str:
        if not is_written:
            return "fenced"
        return "cancelled" if grip.job.cancel else "ok"

    def teardown(self) -> None:
        try:
            self._end_all_jobs()
            self.the_ledger_is_as_the_model_says()
            self._check_channels()
        finally:
            self.pubsub.close()
            self.client.close()
            self.runner.run(self.async_client.aclose())
            self.runner.close()

    def _end_all_jobs(self) -> None:
        for job in self.known:
            self.cancel(job, is_wanted=True)
            self.lease_ends(job)
        self.reap(self.reaper or "w1")
        for key in INDEXES:
            assert self.client.zcard(key) == 0

    def _check_channels(self) -> None:
        """Every event was published once and in the log's order."""
        heard: dict[str, list[object]] = defaultdict(list)
        self.client.publish("c:the end", "")
        while (message := self.pubsub.get_message(timeout=5)) and message["data"]:
            heard[message["channel"].decode()].append(decode(message["data"]))
        assert message is not None
        for job in self.known:
            stored = [event for event in heard[f"c:{job.id}"] if isinstance(event, StoredEvent)]
            assert len(stored) == job.stored_times
            live = [event for event in heard[f"c:{job.id}"] if not isinstance(event, StoredEvent)]
            assert live == self.ledger.read_log(job.id)


def test_the_promise_holds_under_any_order_of_steps(redis_url: str) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Protocol(redis_url),
        settings=settings(
            max_examples=50, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
