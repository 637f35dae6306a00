import redis

from shared.events import decode
from shared.ledger import AsyncLedger, Ledger, channel_of
from tests.integration.ledger.bench import Bench, final, tokens


async def test_events_go_to_the_log_and_the_channel_byte_for_byte(
    bench: Bench, ledger: Ledger, client: redis.Redis
) -> None:
    job, epoch = await bench.run()
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(channel_of(job.id))
    pubsub.get_message(timeout=1)
    event = tokens(job.id, 1, epoch, 3)

    answers = ledger.append([event])

    message = pubsub.get_message(timeout=1)
    pubsub.close()
    assert answers == ["ok"]
    assert message is not None
    assert message["data"] == event.encode()
    assert client.xrange(f"tok:{job.id}") == [(b"3-0", {b"d": event.encode()})]
    assert ledger.read_log(job.id) == [event]


async def test_one_call_writes_for_several_jobs(bench: Bench, ledger: Ledger) -> None:
    (one, one_epoch), (two, two_epoch) = await bench.run(), await bench.run()

    answers = ledger.append([tokens(one.id, 1, one_epoch), tokens("nobody", 1, 1), tokens(two.id, 1, two_epoch)])

    assert answers == ["ok", "fenced", "ok"]
    assert len(ledger.read_log(two.id)) == 1


async def test_nothing_to_append_asks_nothing(ledger: Ledger) -> None:
    assert ledger.append([]) == []
    assert ledger.renew("w1", [], 1000) == []


async def test_a_re_sent_append_is_ok_and_written_once(bench: Bench, ledger: Ledger) -> None:
    job, epoch = await bench.run()
    first, second = tokens(job.id, 1, epoch, 2), tokens(job.id, 3, epoch)

    answers = [ledger.append([event]) for event in (first, second, first, second)]

    assert answers == [["ok"]] * 4
    assert ledger.read_log(job.id) == [first, second]


async def test_a_re_sent_append_is_ok_after_the_end_too(bench: Bench, ledger: Ledger) -> None:
    job, epoch = await bench.run()
    event = tokens(job.id, 1, epoch)
    ledger.append([event])
    ledger.finish(final(job.id, 1, epoch))

    assert ledger.append([event]) == ["ok"]
    assert ledger.append([tokens(job.id, 2, epoch)]) == ["fenced"]


async def test_other_tokens_at_a_taken_place_are_fenced(bench: Bench, ledger: Ledger) -> None:
    job, epoch = await bench.run()
    ledger.append([tokens(job.id, 1, epoch, 4)])

    assert ledger.append([tokens(job.id, 3, epoch, 2)]) == ["fenced"]
    assert ledger.append([tokens(job.id, 1, epoch, 3)]) == ["fenced"]
    assert ledger.append([tokens(job.id, 4, epoch, 2)]) == ["fenced"]


async def test_a_gap_is_fenced(bench: Bench, ledger: Ledger) -> None:
    job, epoch = await bench.run()
    ledger.append([tokens(job.id, 1, epoch)])

    assert ledger.append([tokens(job.id, 3, epoch)]) == ["fenced"]
    assert len(ledger.read_log(job.id)) == 1


async def test_an_older_epoch_is_fenced(bench: Bench, ledger: Ledger) -> None:
    job, old = await bench.run()
    event = tokens(job.id, 1, old)
    ledger.append([event])
    bench.end_lease(job.id)
    ledger.reap(worker_id="w2", lock_ms=1000)

    assert ledger.append([tokens(job.id, 2, old)]) == ["fenced"]
    new = bench.claim(job.id, "w2").epoch
    assert ledger.append([tokens(job.id, 2, old)]) == ["fenced"]
    assert ledger.append([event]) == ["fenced"]
    assert ledger.append([tokens(job.id, 2, new)]) == ["ok"]


async def test_an_append_says_that_a_cancel_is_wanted(bench: Bench, ledger: Ledger, gate: AsyncLedger) -> None:
    job, epoch = await bench.run()
    await gate.cancel(job.id, "tenant-a")

    assert ledger.append([tokens(job.id, 1, epoch)]) == ["cancelled"]
    assert len(ledger.read_log(job.id)) == 1


async def test_the_log_is_read_from_any_token_on(bench: Bench, ledger: Ledger, gate: AsyncLedger) -> None:
    job, epoch = await bench.run()
    one, two, end = tokens(job.id, 1, epoch, 3), tokens(job.id, 4, epoch, 2), final(job.id, 5, epoch)
    ledger.append([one])
    ledger.append([two])
    ledger.finish(end)

    assert ledger.read_log(job.id, 0) == [one, two, end]
    assert ledger.read_log(job.id, 1) == [one.after(1), two, end]
    assert ledger.read_log(job.id, 3) == [two, end]
    assert ledger.read_log(job.id, 5) == [end]
    assert ledger.read_log(job.id, 6) == []
    assert await gate.read_log(job.id, 1) == ledger.read_log(job.id, 1)
    assert await gate.read_log("nobody") == []


async def test_a_broken_log_harms_no_neighbour(bench: Bench, ledger: Ledger, client: redis.Redis) -> None:
    (broken, broken_epoch), (sound, sound_epoch) = await bench.run(), await bench.run()
    client.xadd(f"tok:{broken.id}", {"d": "?"}, id="9-0")

    answers = ledger.append([tokens(broken.id, 1, broken_epoch), tokens(sound.id, 1, sound_epoch)])

    assert answers == ["fenced", "ok"]


async def test_a_client_that_decodes_answers_works_too(bench: Bench, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    ledger = Ledger(client)
    job, epoch = await bench.run()
    event = tokens(job.id, 1, epoch)

    answers = ledger.append([event])

    assert answers == ["ok"]
    assert ledger.read_log(job.id) == [event] == [decode(event.encode())]
    client.close()


async def test_scripts_come_back_after_redis_forgot_them(bench: Bench, ledger: Ledger, client: redis.Redis) -> None:
    job, epoch = await bench.run()
    client.script_flush()

    assert ledger.append([tokens(job.id, 1, epoch)]) == ["ok"]
