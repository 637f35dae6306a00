from asyncio import sleep

import pytest
import redis

from shared.bodies.keys import Limits
from shared.errors import IdempotencyMismatchError, QueueFullError, RateLimitError
from shared.ledger import Accepted, AsyncLedger, Idempotency, Ledger
from shared.ledger.calls import accept as accept_call
from tests.integration.ledger.bench import UNLIMITED, Bench, final, make_job, redis_seconds


async def test_an_accepted_job_is_queued_with_its_deadline(bench: Bench, gate: AsyncLedger) -> None:
    job = make_job(timeout_s=30.0, session_id="s1", on_disconnect="detach", resume_grace_s=5.0)

    accepted = await gate.accept(job, UNLIMITED, max_queued_jobs=10)

    assert (accepted.job_id, accepted.is_replay) == (job.id, False)
    status = await gate.status(job.id, "tenant-a")
    assert (status.state, status.seq, status.session_id, status.is_final) == ("queued", 0, "s1", False)
    assert (status.on_disconnect, status.resume_grace_s) == ("detach", 5.0)
    assert status.deadline_ms - status.accepted_ms == 30_000
    assert bench.indexes(job.id) == {"jobs:queued:model.tiny", "jobs:hints"}


async def test_a_re_sent_accept_is_no_replay_and_reserves_once(client: redis.Redis, ledger: Ledger) -> None:
    limits = Limits(requests_per_minute=10, tokens_per_minute=1_000_000, concurrent_jobs=5)
    call = accept_call(make_job(), limits, max_queued_jobs=10, idempotency=Idempotency("k", "h"))

    first, second = ledger._run(call), ledger._run(call)

    assert not first.is_replay
    assert not second.is_replay
    assert second.usage.remaining_requests == 9
    assert client.zcard("rl:key-a:c") == 1
    assert client.zcard("jobs:queued:model.tiny") == 1


async def test_a_second_request_for_the_same_job_attaches_to_it(bench: Bench, gate: AsyncLedger) -> None:
    job = await bench.finished()

    again = await gate.accept(job, UNLIMITED, max_queued_jobs=10)

    assert again.is_replay
    assert (await gate.status(job.id, "tenant-a")).state == "done"


async def test_another_tenants_job_id_cannot_be_taken(bench: Bench, gate: AsyncLedger) -> None:
    job = await bench.accept()

    with pytest.raises(IdempotencyMismatchError):
        await gate.accept(make_job(id=job.id, tenant_id="tenant-b"), UNLIMITED, max_queued_jobs=10)


async def test_an_idempotency_key_leads_to_the_first_job(gate: AsyncLedger) -> None:
    limits = Limits(requests_per_minute=1)
    first = await gate.accept(make_job(), limits, max_queued_jobs=1, idempotency=Idempotency("k 1", "hash a"))

    second = await gate.accept(make_job(), limits, max_queued_jobs=1, idempotency=Idempotency("k 1", "hash a"))

    assert second.is_replay
    assert second.job_id == first.job_id


async def test_an_idempotency_key_with_another_body_is_refused(gate: AsyncLedger) -> None:
    await gate.accept(make_job(), UNLIMITED, max_queued_jobs=9, idempotency=Idempotency("k", "a"))

    with pytest.raises(IdempotencyMismatchError):
        await gate.accept(make_job(), UNLIMITED, max_queued_jobs=9, idempotency=Idempotency("k", "b"))


async def test_an_idempotency_key_belongs_to_one_tenant(gate: AsyncLedger) -> None:
    await gate.accept(make_job(), UNLIMITED, max_queued_jobs=9, idempotency=Idempotency("k", "a"))

    other = make_job(tenant_id="tenant-b")
    accepted = await gate.accept(other, UNLIMITED, max_queued_jobs=9, idempotency=Idempotency("k", "b"))

    assert not accepted.is_replay


async def test_the_idempotency_key_of_a_refused_job_stays_free(gate: AsyncLedger, client: redis.Redis) -> None:
    with pytest.raises(QueueFullError):
        await gate.accept(make_job(), UNLIMITED, max_queued_jobs=0, idempotency=Idempotency("k", "a"))

    assert client.keys("idem:*") == []


async def accept_until_refused(gate: AsyncLedger, limits: Limits) -> tuple[list[Accepted], RateLimitError]:
    accepted: list[Accepted] = []
    while True:
        try:
            accepted.append(await gate.accept(make_job(), limits, max_queued_jobs=100_000))
        except RateLimitError as refused:
            return accepted, refused


async def test_requests_per_minute_are_counted_exactly(gate: AsyncLedger, client: redis.Redis) -> None:
    began = redis_seconds(client)

    accepted, refused = await accept_until_refused(gate, Limits(requests_per_minute=120))

    drained = (redis_seconds(client) - began) * 120 / 60
    assert 120 <= len(accepted) <= 120 + drained
    assert (accepted[0].usage.limit_requests, accepted[0].usage.remaining_requests) == (120, 119)
    assert refused.retry_after_s is not None
    assert 0 < refused.retry_after_s <= 0.5
    assert refused.headers["x-ratelimit-limit-requests"] == "120"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"


async def test_a_limit_is_free_again_after_retry_after(gate: AsyncLedger) -> None:
    limits = Limits(requests_per_minute=600)
    _, refused = await accept_until_refused(gate, limits)

    await sleep(refused.retry_after_s or 0)

    await gate.accept(make_job(), limits, max_queued_jobs=10_000)


async def test_a_limit_of_zero_allows_nothing(gate: AsyncLedger) -> None:
    for limits in (Limits(requests_per_minute=0), Limits(tokens_per_minute=0), Limits(concurrent_jobs=0)):
        with pytest.raises(RateLimitError):
            await gate.accept(make_job(), limits, max_queued_jobs=10)


async def test_the_keys_of_one_tenant_have_limits_of_their_own(gate: AsyncLedger) -> None:
    limits = Limits(requests_per_minute=1)
    await gate.accept(make_job(key_id="key-1"), limits, max_queued_jobs=10)

    await gate.accept(make_job(key_id="key-2"), limits, max_queued_jobs=10)


async def test_concurrent_jobs_are_bounded_until_one_ends(bench: Bench, gate: AsyncLedger, ledger: Ledger) -> None:
    limits = Limits(concurrent_jobs=2)
    job, epoch = await bench.run(limits)
    await bench.accept(limits)

    with pytest.raises(RateLimitError) as refused:
        await bench.accept(limits)
    ledger.finish(final(job.id, 0, epoch))
    await bench.accept(limits)

    assert refused.value.retry_after_s == 1.0
    assert "2 concurrent" in refused.value.message


async def test_a_slot_that_nobody_freed_expires(bench: Bench, client: redis.Redis) -> None:
    limits = Limits(concurrent_jobs=1)
    leaked = await bench.accept(limits)
    client.zadd("rl:key-a:c", {leaked.id: 1})

    await bench.accept(limits)


async def test_tokens_are_reserved_for_prompt_and_reply(gate: AsyncLedger) -> None:
    limits = Limits(tokens_per_minute=250)

    first = await gate.accept(make_job(), limits, max_queued_jobs=10)
    await gate.accept(make_job(), limits, max_queued_jobs=10)
    with pytest.raises(RateLimitError) as refused:
        await gate.accept(make_job(), limits, max_queued_jobs=10)

    assert (first.usage.limit_tokens, first.usage.remaining_tokens) == (250, 150)
    assert first.usage.reset_tokens_s == pytest.approx(24.0)
    assert refused.value.retry_after_s is not None
    assert 0 < refused.value.retry_after_s <= 12


async def test_a_request_that_can_never_fit_the_token_limit_says_so(gate: AsyncLedger) -> None:
    with pytest.raises(RateLimitError, match="fewer max_tokens") as refused:
        await gate.accept(make_job(max_tokens=1000), Limits(tokens_per_minute=500), max_queued_jobs=10)

    assert refused.value.retry_after_s is None


async def test_a_reply_without_max_tokens_reserves_what_the_limit_allows(gate: AsyncLedger) -> None:
    job = make_job(max_tokens=None)

    accepted = await gate.accept(job, Limits(tokens_per_minute=500), max_queued_jobs=10)

    assert accepted.usage.remaining_tokens == 0


async def test_a_full_queue_refuses_and_reserves_nothing(bench: Bench, gate: AsyncLedger, client: redis.Redis) -> None:
    await bench.accept()
    limits = Limits(requests_per_minute=5, tokens_per_minute=1000, concurrent_jobs=5)

    with pytest.raises(QueueFullError) as refused:
        await gate.accept(make_job(), limits, max_queued_jobs=1)

    assert refused.value.retry_after_s == 1.0
    assert client.keys("rl:*") == []


async def test_a_full_queue_says_to_come_back_when_the_oldest_is_gone(bench: Bench, client: redis.Redis) -> None:
    job = await bench.accept()
    client.zadd("jobs:queued:model.tiny", {job.id: (redis_seconds(client) - 10) * 1000})

    with pytest.raises(QueueFullError) as refused:
        await bench.gate.accept(make_job(), UNLIMITED, max_queued_jobs=1)

    assert refused.value.retry_after_s is not None
    assert 9 <= refused.value.retry_after_s <= 20


async def test_every_model_has_a_queue_of_its_own(bench: Bench, gate: AsyncLedger) -> None:
    await bench.accept()

    await gate.accept(make_job(model="other"), UNLIMITED, max_queued_jobs=1)

    assert await gate.queue_depth("tiny") == 1
    assert await gate.queue_depth("other") == 1
    assert await gate.queue_depth("none") == 0
