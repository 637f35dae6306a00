"""The checker itself: it must find what it is there to find."""

from collections.abc import Callable

import pytest
import redis

from shared.events import FinalEvent, TokensEvent, Usage
from tests.fault.client import Asked, Leg, Received
from tests.fault.faults import Fault
from tests.fault.figures import pauses_s
from tests.fault.ledger import dead_problems, leftovers, log_problems
from tests.fault.load import stream_problems

RIGHT = " one two three"


def a_stream(**changed: object) -> Received:
    received = Received(
        Asked("prompt", 3, "key"),
        job_id="job",
        ids=[1, 2, 3],
        arrivals=[1.0, 1.1, 1.2],
        texts=[" one", " two", " three"],
        finish_reason="length",
        is_complete=True,
        legs=[Leg("http://a", 0.9, 1.3)],
    )
    for name, value in changed.items():
        setattr(received, name, value)
    return received


def test_a_whole_stream_has_no_problem() -> None:
    assert stream_problems(a_stream(), RIGHT) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ids": [1, 2, 2], "texts": [" one", " two", " two"]}, "twice or out of order"),
        ({"ids": [1, 3], "texts": [" one", " three"]}, "differs from character 6"),
        ({"texts": [" one", " two", " four"]}, "differs from character 9"),
        ({"is_complete": False}, "did not end"),
        ({"error": {"code": "worker_lost"}, "is_complete": False}, "ended with an error"),
        ({"finish_reason": "stop"}, "finish reason is stop"),
    ],
    ids=["doubled", "missing", "other text", "no end", "error", "other end"],
)
def test_a_stream_that_is_not_whole_is_noticed(changed: dict[str, object], said: str) -> None:
    assert any(said in problem for problem in stream_problems(a_stream(**changed), RIGHT))


def test_an_error_is_right_where_one_is_allowed_but_wrong_text_before_it_is_not() -> None:
    failed = {"error": {"code": "upstream"}, "is_complete": False}

    assert stream_problems(a_stream(**failed, texts=[" one"]), RIGHT, may_fail=True) == []
    assert stream_problems(a_stream(**failed, texts=[" two"]), RIGHT, may_fail=True)


def write_log(url: str, *events: TokensEvent | FinalEvent) -> None:
    with redis.Redis.from_url(url) as client:
        for number, event in enumerate(events, start=1):
            client.xadd("tok:job", {"d": event.encode()}, id=f"{number}-0")


def tokens(first: int, *texts: str) -> TokensEvent:
    return TokensEvent("job", first, 1, list(range(len(texts))), list(texts))


def final(last: int) -> FinalEvent:
    return FinalEvent("job", last, 1, "length", usage=Usage(1, last, 0))


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([tokens(1, " one"), tokens(3, " three"), final(3)], "goes on with token 3 where 2 should come"),
        ([tokens(1, " one", " two"), tokens(2, " two", " three"), final(3)], "goes on with token 2 where 3"),
        ([tokens(1, " one", " two", " three")], "has 0 final events"),
        ([tokens(1, " one", " two", " three"), final(3), final(3)], "has 2 final events"),
        ([tokens(1, " one", " two", " three"), final(2)], "counts 2 tokens"),
        ([tokens(1, " one", " two", " four"), final(3)], "text in its log"),
    ],
    ids=["missing", "doubled", "no end", "two ends", "miscounted", "other text"],
)
def test_a_token_log_that_is_not_whole_is_noticed(
    redis_url: str, events: list[TokensEvent | FinalEvent], said: str
) -> None:
    write_log(redis_url, *events)

    assert any(said in problem for problem in log_problems(redis_url, "job", RIGHT))


def test_a_whole_token_log_has_no_problem(redis_url: str) -> None:
    write_log(redis_url, tokens(1, " one", " two"), tokens(3, " three"), final(3))

    assert log_problems(redis_url, "job", RIGHT) == []


@pytest.mark.parametrize(
    ("leave", "said"),
    [
        (lambda client: client.zadd("jobs:leases", {"job": 1}), "jobs:leases has 1 jobs"),
        (lambda client: client.xadd("turns:final", {"job_id": "job"}), "the outbox has 1 entries"),
        (lambda client: client.lpush("q:model.m", "hint"), "q:model.m has 1 hints"),
        (lambda client: client.zadd("rl:key:c", {"job": 1}), "concurrency slots"),
        (lambda client: client.hset("job:job", "state", "done"), "never expire"),
    ],
    ids=["lease", "outbox", "hint", "slot", "record"],
)
def test_what_is_left_in_redis_is_noticed(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, leave: Callable[[redis.Redis], object], said: str
) -> None:
    monkeypatch.setattr("tests.fault.ledger._SETTLE_S", 0)
    assert leftovers(redis_url) == []

    with redis.Redis.from_url(redis_url) as client:
        leave(client)

    assert any(said in problem for problem in leftovers(redis_url))


def test_innocent_jobs_that_are_dead_and_poisoned_ones_that_are_not_are_noticed(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.xadd("jobs:dead", {"job_id": "innocent"})

    assert dead_problems(redis_url, {"innocent"}, {"poisoned"}) == [
        "innocent job innocent is dead",
        "poisoned job poisoned is not dead",
    ]


def test_a_pause_is_the_longest_gap_around_the_fault_in_the_streams_that_it_hit() -> None:
    streams = [a_stream(job_id="hit", arrivals=[1.0, 3.0, 3.5]), a_stream(job_id="other", arrivals=[1.0, 9.0])]

    by_job = pauses_s([Fault("kill", "worker", 1.5, job_ids=frozenset({"hit"}))], streams)
    by_gateway = pauses_s([Fault("kill", "gateway", 1.2, url="http://b")], streams)

    assert by_job == [2.0]
    assert by_gateway == []
