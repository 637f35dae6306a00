import pytest

from shared.bodies.keys import Limits
from shared.errors import (
    IdempotencyMismatchError,
    JobNotFoundError,
    QueueFullError,
    RateLimitError,
    UpstreamError,
)
from shared.events import FinalEvent, StoredEvent, TokensEvent, Usage
from shared.ledger import Accepted, ClaimRefused, Hint, LimitUsage, Reaped, Unreadable, Waiting, parsing

LIMITS = Limits(requests_per_minute=60, tokens_per_minute=1000, concurrent_jobs=2)

RUNNING = {
    "tenant": b"t1",
    "state": b"running",
    "seq": b"3",
    "model": b"tiny",
    "key": b"k1",
    "session": b"",
    "cancel": b"1",
    "accepted_ms": b"1000",
    "deadline_ms": b"2000",
    "on_disconnect": b"detach",
    "resume_grace_ms": b"1500",
}


def values(fields: dict[str, bytes]) -> list[bytes | None]:
    return [fields.get(name) for name in parsing.STATUS_FIELDS]


def test_an_accepted_job_comes_with_what_is_left() -> None:
    answer = parsing.accepted([b"accepted", b"j1", 59, 1000, 900, 6000, 0], LIMITS)

    assert answer == Accepted("j1", False, LimitUsage(60, 59, 1.0, 1000, 900, 6.0))


def test_a_replay_without_limits_names_the_earlier_job() -> None:
    answer = parsing.accepted([b"replay", b"j0", 0, 0, 0, 0, 0], Limits())

    assert answer == Accepted("j0", True, LimitUsage())


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("requests", "60 requests per minute"), ("tokens", "1000 tokens per minute"), ("concurrent", "2 concurrent")],
)
def test_a_refusal_by_a_limit_says_which_and_how_long(verdict: str, words: str) -> None:
    with pytest.raises(RateLimitError, match=words) as refused:
        parsing.accepted([verdict.encode(), b"", 0, 60000, 0, 60000, 1500], LIMITS)

    assert refused.value.retry_after_s == 1.5
    assert refused.value.headers["x-ratelimit-reset-requests"] == "1m0s"


def test_other_refusals_are_errors_of_their_own() -> None:
    with pytest.raises(QueueFullError) as full:
        parsing.accepted([b"full", b"", 0, 0, 0, 0, 2000], Limits())
    with pytest.raises(IdempotencyMismatchError):
        parsing.accepted([b"mismatch", b"", 0, 0, 0, 0, 0], Limits())

    assert full.value.retry_after_s == 2.0


def test_a_refused_claim_says_why() -> None:
    assert parsing.claimed("j", [b"leased"]) == ClaimRefused("leased")


def test_a_status_is_read_from_the_fields_that_are_there() -> None:
    status = parsing.status("j1", "t1", values(RUNNING))

    assert (status.state, status.seq, status.cancel, status.is_stored) == ("running", 3, True, False)
    assert (status.session_id, status.finish_reason, status.finished_ms) == (None, None, None)
    assert (status.usage, status.on_disconnect, status.resume_grace_s) == (Usage(), "detach", 1.5)


@pytest.mark.parametrize("raw", [[], [None] * 17, values(RUNNING | {"tenant": b"t2"})])
def test_a_missing_job_and_a_strangers_job_are_the_same(raw: list[bytes | None]) -> None:
    with pytest.raises(JobNotFoundError):
        parsing.status("j1", "t1", raw)


def test_a_round_without_the_lock_did_nothing() -> None:
    assert parsing.reaped([0]) == Reaped()


def test_a_round_pairs_jobs_with_their_models() -> None:
    rows = [b"j1", b"m1", b"batch", 1, b"00-1", b"j2", b"m2", b"interactive", 0, b""]
    reaped = parsing.reaped([1, rows, [], rows[5:], [b"j3"], [b"j4"], [b"j5"]])

    begun, new = Hint("j1", "m1", "batch", is_begun=True, traceparent="00-1"), Hint("j2", "m2", "interactive")
    assert reaped == Reaped([begun, new], [], [new], ["j3"], ["j4"], ["j5"], got_lock=True)


def test_a_claimed_job_that_cannot_be_read_is_the_workers_all_the_same() -> None:
    raw = [b"ok", b"4", b"2", b"99", b'{"messages": 1}', 0, b"0", 0]

    assert parsing.claimed("j", raw) == Unreadable("j", 4, 2)


def test_who_waits_for_nothing_has_neither_place_nor_load() -> None:
    assert parsing.waiting([b"running", -1, b"-1"]) == Waiting("running", None, None)
    assert parsing.waiting([b"queued", 0, b"0.5"]) == Waiting("queued", 0, 0.5)
    with pytest.raises(JobNotFoundError):
        parsing.waiting([])


def test_a_log_begins_after_the_token_that_was_asked_for() -> None:
    event, end = TokensEvent("j", 1, 1, [5, 6, 7], ["a", "b", "c"]), FinalEvent("j", 3, 1, "stop")
    entries = [(b"3-0", {b"d": event.encode()}), (b"3-1", {b"d": end.encode()})]

    assert parsing.log(entries, 0) == [event, end]
    assert parsing.log(entries, 2) == [TokensEvent("j", 3, 1, [7], ["c"]), end]


@pytest.mark.parametrize("fields", [{b"d": StoredEvent("j").encode()}, {b"d": b"{"}, {}])
def test_a_log_with_something_else_in_it_is_not_readable(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(UpstreamError):
        parsing.log([(b"1-0", fields)], 0)


def test_workers_that_are_gone_are_left_out() -> None:
    body = b'{"id":"w","engine":"llama","held_models":[],"slots":4,"busy_slots":0,"free_bytes":1}'

    assert [worker.id for worker in parsing.workers([None, body])] == ["w"]
