import pytest
import redis

from shared.bodies.keys import Limits
from shared.errors import DeadlineExceededError, InferenceError
from shared.events import FinalEvent, Usage
from shared.ledger import AsyncLedger, Ledger, OutboxEntry
from tests.integration.ledger.bench import Bench, final, tokens


async def test_a_finish_writes_the_final_event_and_one_outbox_entry(
    bench: Bench, ledger: Ledger, gate: AsyncLedger, client: redis.Redis
) -> None:
    job, epoch = await bench.run(session_id="s1")
    ledger.append([tokens(job.id, 1, epoch, 2)])
    end = final(job.id, 2, epoch, text="…", usage=Usage(10, 2, 4))

    answer = ledger.finish(end)

    assert answer == "ok"
    assert ledger.read_log(job.id)[-1] == end
    assert client.xrange(f"tok:{job.id}", min="2-1") == [(b"2-1", {b"d": end.encode()})]
    (entry,) = [OutboxEntry.from_fields(fields) for fields in bench.outbox()]
    assert (entry.job_id, entry.tenant_id, entry.key_id, entry.model) == (job.id, "tenant-a", "key-a", "tiny")
    assert (entry.session_id, entry.state, entry.finish_reason, entry.last_seq) == ("s1", "done", "stop", 2)
    assert (entry.usage, entry.error) == (Usage(10, 2, 4), None)
    assert entry.finished_ms >= entry.accepted_ms
    status = await gate.status(job.id, "tenant-a")
    assert (status.state, status.seq, status.finish_reason, status.usage) == ("done", 2, "stop", Usage(10, 2, 4))
    assert status.is_final
    assert bench.indexes(job.id) == set()


async def test_a_final_job_holds_no_prompt_and_goes_by_itself(bench: Bench, client: redis.Redis) -> None:
    job = await bench.finished()

    assert client.hget(f"job:{job.id}", "payload") is None
    assert 3_500_000 < client.pttl(f"tok:{job.id}") < client.pttl(f"job:{job.id}")  # type: ignore[operator]


async def test_an_open_job_never_goes_by_itself(bench: Bench, ledger: Ledger, client: redis.Redis) -> None:
    job, epoch = await bench.run()
    ledger.append([tokens(job.id, 1, epoch)])

    assert client.pttl(f"job:{job.id}") == client.pttl(f"tok:{job.id}") == -1


async def test_a_re_sent_finish_is_ok_and_ends_once(bench: Bench, ledger: Ledger) -> None:
    job, epoch = await bench.run()

    answers = [ledger.finish(final(job.id, 0, epoch)) for _ in range(3)]

    assert answers == ["ok"] * 3
    assert len(bench.outbox()) == 1
    assert len(ledger.read_log(job.id)) == 1


async def test_a_finish_by_an_older_epoch_is_fenced(bench: Bench, ledger: Ledger) -> None:
    job, old = await bench.run()
    ledger.release(job.id, old)

    while_queued = ledger.finish(final(job.id, 0, old))
    new = bench.claim(job.id, "w2").epoch
    while_running = ledger.finish(final(job.id, 0, old))
    ledger.finish(final(job.id, 0, new))
    after_the_end = ledger.finish(final(job.id, 0, old))

    assert (while_queued, while_running, after_the_end) == ("fenced", "fenced", "fenced")
    assert len(bench.outbox()) == 1


async def test_a_finish_is_fenced_while_tokens_are_missing_in_the_log(bench: Bench, ledger: Ledger) -> None:
    job, epoch = await bench.run()
    ledger.append([tokens(job.id, 1, epoch)])

    assert ledger.finish(final(job.id, 2, epoch)) == "fenced"
    assert ledger.finish(final(job.id, 0, epoch)) == "fenced"
    assert bench.outbox() == []
    assert ledger.finish(final(job.id, 1, epoch)) == "ok"


async def test_a_queued_or_unknown_job_cannot_be_finished(bench: Bench, ledger: Ledger) -> None:
    job = await bench.accept()

    assert ledger.finish(final(job.id, 0, 0)) == "fenced"
    assert ledger.finish(final("nobody", 0, 0)) == "fenced"


@pytest.mark.parametrize(
    ("event", "state"),
    [
        ({"finish_reason": "length"}, "done"),
        ({"finish_reason": "tool_calls"}, "done"),
        ({"finish_reason": "cancelled"}, "cancelled"),
        ({"finish_reason": "error", "error": InferenceError().body()["error"]}, "failed"),
        ({"finish_reason": "error", "error": DeadlineExceededError().body()["error"]}, "expired"),
    ],
)
async def test_the_state_follows_from_the_final_event(
    bench: Bench, ledger: Ledger, gate: AsyncLedger, event: dict[str, object], state: str
) -> None:
    job, epoch = await bench.run()

    ledger.finish(final(job.id, 0, epoch, **event))

    assert (await gate.status(job.id, "tenant-a")).state == state
    (entry,) = [OutboxEntry.from_fields(fields) for fields in bench.outbox()]
    assert (entry.state, entry.error) == (state, event.get("error"))


async def test_what_a_job_did_not_use_goes_back_to_its_key(bench: Bench, ledger: Ledger) -> None:
    limits = Limits(tokens_per_minute=1000)
    job, epoch = await bench.run(limits, max_tokens=890)  # reserves 900

    ledger.finish(FinalEvent(job.id, 0, epoch, "stop", usage=Usage(10, 90)))
    ledger.finish(FinalEvent(job.id, 0, epoch, "stop", usage=Usage(10, 90)))
    after = await bench.gate.accept(job.model_copy(update={"id": "next"}), limits, max_queued_jobs=10)

    assert after.usage.remaining_tokens is not None
    assert 0 <= after.usage.remaining_tokens < 100  # 1000 - 100 used - 900 reserved, and what drained meanwhile


async def test_a_job_that_used_more_than_reserved_pays_for_it(
    bench: Bench, ledger: Ledger, client: redis.Redis
) -> None:
    limits = Limits(tokens_per_minute=100_000)
    job, epoch = await bench.run(limits, max_tokens=90)

    ledger.finish(FinalEvent(job.id, 0, epoch, "stop", usage=Usage(10, 50_000)))

    assert 20_000 < float(client.hget("rl:key-a:t", "taken") or 0) <= 50_010  # type: ignore[arg-type]


async def test_the_trace_of_a_job_goes_with_its_outbox_entry_however_it_ends(
    bench: Bench, ledger: Ledger, gate: AsyncLedger, client: redis.Redis
) -> None:
    job, epoch = await bench.run(traceparent="00-a")
    cancelled, untraced = await bench.accept(traceparent="00-b"), await bench.accept()
    earlier = await bench.accept(traceparent="00-c")
    client.hdel(f"job:{earlier.id}", "traceparent")  # as a gateway of an earlier version has written it

    ledger.finish(final(job.id, 0, epoch))
    for queued in (cancelled, untraced, earlier):
        await gate.cancel(queued.id, queued.tenant_id)

    entries = [OutboxEntry.from_fields(fields) for fields in bench.outbox()]
    assert {entry.job_id: entry.traceparent for entry in entries} == {
        job.id: "00-a",
        cancelled.id: "00-b",
        untraced.id: "",
        earlier.id: "",
    }
