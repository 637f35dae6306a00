"""The checker: what Redis and Postgres hold, compared with what was acknowledged."""

import contextlib
import time
from collections.abc import Sequence

import psycopg
import redis
from redis.exceptions import RedisError

from shared.events import FinalEvent, TokensEvent, decode
from tests.fault.client import Received

_LOG_WAIT_S = 15.0
_SETTLE_S = 40.0
"""Longer than the grace after which the reaper looks at a job that nobody attends to."""


def log_problems(redis_url: str, job_id: str, right: str) -> list[str]:
    """What is wrong with the token log of a job that has ended: each seq once, without gaps, the right text."""
    entries = _log(redis_url, job_id)
    events = [decode(fields[b"d"]) for _, fields in entries]
    tokens = [event for event in events if isinstance(event, TokensEvent)]
    finals = [event for event in events if isinstance(event, FinalEvent)]
    found, next_seq = [], 1
    for event in tokens:
        if event.first_seq != next_seq:
            found.append(f"its log goes on with token {event.first_seq} where {next_seq} should come")
        next_seq = event.last_seq + 1
    if len(finals) != 1:
        return [*found, f"its log has {len(finals)} final events"]
    if finals[0].last_seq != next_seq - 1:
        found.append(f"its final event counts {finals[0].last_seq} tokens, its log has {next_seq - 1}")
    if "".join(text for event in tokens for text in event.texts) + finals[0].text != right:
        found.append("the text in its log is not the right one")
    if finals[0].usage.completion_tokens != next_seq - 1:
        found.append(f"its usage counts {finals[0].usage.completion_tokens} tokens, its log has {next_seq - 1}")
    return found


def leftovers(redis_url: str) -> list[str]:
    """What is still in Redis though every job has ended: one sentence each; empty when all went back to nothing."""
    end = time.monotonic() + _SETTLE_S
    while True:
        with contextlib.suppress(RedisError):
            found = _leftovers(redis_url)
            if not found or time.monotonic() > end:
                return found
        if time.monotonic() > end + _SETTLE_S:
            return ["Redis does not answer"]
        time.sleep(0.2)


def message_problems(database_url: str, streams: Sequence[Received], texts: dict[str, str]) -> list[str]:
    """Turns without exactly one assistant message, with a wrong one or with a wrong usage record.

    `texts`: the right text of each job.
    """
    jobs = [received.job_id for received in streams if received.asked.session_id and received.is_complete]
    end = time.monotonic() + _SETTLE_S
    while True:
        found = _message_problems(database_url, jobs, texts)
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.5)


def dead_problems(redis_url: str, innocent: set[str], poisoned: set[str]) -> list[str]:
    """Jobs that ended in `jobs:dead` though they are innocent, and poisoned ones that did not."""
    with redis.Redis.from_url(redis_url, socket_timeout=3) as client:
        dead = {fields[b"job_id"].decode() for _, fields in client.xrange("jobs:dead")}
    return [
        *(f"innocent job {job} is dead" for job in sorted(dead & innocent)),
        *(f"poisoned job {job} is not dead" for job in sorted(poisoned - dead)),
    ]


def _log(redis_url: str, job_id: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
    end = time.monotonic() + _LOG_WAIT_S
    while True:
        try:
            with redis.Redis.from_url(redis_url, socket_timeout=3) as client:
                entries: list[tuple[bytes, dict[bytes, bytes]]] = client.xrange(f"tok:{job_id}")
                return entries
        except RedisError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _leftovers(redis_url: str) -> list[str]:
    found = []
    with redis.Redis.from_url(redis_url, socket_timeout=3) as client:
        for key in client.scan_iter("jobs:*"):
            if key != b"jobs:dead" and (count := client.zcard(key)):
                found.append(f"{key.decode()} has {count} jobs")
        if waiting := client.xlen("turns:final"):
            found.append(f"the outbox has {waiting} entries")
        for key in client.scan_iter("q:model.*"):
            size = {b"list": client.llen, b"hash": client.hlen, b"zset": client.zcard}.get(client.type(key))
            if size is not None and (count := size(key)):
                found.append(f"{key.decode()} has {count} hints")
        for key in client.scan_iter("rl:*:c"):
            if count := client.zcard(key):
                found.append(f"{count} concurrency slots are not given back")
        for pattern in ("tok:*", "job:*"):
            lasting = [key for key in client.scan_iter(pattern, count=1000) if client.ttl(key) == -1]
            if lasting:
                found.append(f"{len(lasting)} keys {pattern} never expire")
    return found


def _message_problems(database_url: str, jobs: Sequence[str], texts: dict[str, str]) -> list[str]:
    try:
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            replies = connection.execute(
                "SELECT turn_id, content FROM messages WHERE is_reply AND role = 'assistant' AND turn_id = ANY(%s)",
                (list(jobs),),
            ).fetchall()
            states: dict[str, str] = dict(
                connection.execute("SELECT id, state FROM turns WHERE id = ANY(%s)", (list(jobs),)).fetchall()
            )
            used: dict[str, int] = dict(
                connection.execute(
                    "SELECT job_id, completion_tokens FROM usage_records WHERE job_id = ANY(%s)", (list(jobs),)
                ).fetchall()
            )
    except psycopg.Error as error:
        return [f"Postgres does not answer: {error}"]
    by_job: dict[str, list[str]] = {}
    for turn_id, content in replies:
        by_job.setdefault(turn_id, []).append(content)
    found = []
    for job in jobs:
        stored = by_job.get(job, [])
        if len(stored) != 1:
            found.append(f"turn {job} ({states.get(job, 'unknown')}) has {len(stored)} assistant messages")
        elif stored[0] != texts[job]:
            found.append(f"the message of turn {job} is not what was streamed")
        if job not in used:
            found.append(f"turn {job} has no usage record")
    return found
