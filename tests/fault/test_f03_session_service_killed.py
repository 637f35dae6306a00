"""F3: kill -9 of the session service at any time, and just between its commit and its acknowledgement."""

from contextlib import ExitStack
from functools import partial

import psycopg

from tests.fault.arena import Arena, LoadPlan
from tests.stack import wait_until

TURNS = LoadPlan(sessions=1.0)
LONG_TURNS = LoadPlan(sessions=1.0, tokens=250)


def scenario(arena: Arena) -> None:
    with arena.load(TURNS):
        for _ in arena.times(short=2, long=20):
            arena.sleep(0.5, 2)
            arena.inject.kill("session_service")
    for _ in arena.times(short=1, long=10):
        _die_between_commit_and_acknowledgement(arena)


def _die_between_commit_and_acknowledgement(arena: Arena) -> None:
    """Redis refuses the acknowledgement, so that what is committed stays in the outbox; then the service dies."""
    arena.stack.wait_until_whole()
    with arena.redis() as client, ExitStack() as until_thawed:
        with arena.load(LONG_TURNS) as load:
            wait_until(lambda: client.zcard("jobs:leases") == LONG_TURNS.streams, "every client's turn runs")
            frozen = until_thawed.enter_context(arena.inject.frozen("session_service"))
        jobs = [received.job_id for received in load.received]
        client.execute_command("ACL", "SETUSER", "default", "-xack")
        try:
            until_thawed.close()
            wait_until(partial(_are_committed, arena.stack.database_url, jobs), "the replies are committed")
            unacknowledged = client.xlen("turns:final")
            arena.inject.kill_now(frozen)  # it is not ready: it says that its outbox cannot be stored
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+xack")
    arena.figure("replies committed and not acknowledged", unacknowledged)
    arena.expect(unacknowledged >= len(jobs), "some outbox entries were gone before the service died")


def _are_committed(database_url: str, jobs: list[str]) -> bool:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM messages WHERE is_reply AND turn_id = ANY(%s)", (jobs,)
        ).fetchone()
    return row is not None and row[0] >= len(jobs)


def test_each_turn_has_one_message_though_the_session_service_is_killed(arena: Arena) -> None:
    scenario(arena)
