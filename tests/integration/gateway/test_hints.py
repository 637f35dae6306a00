"""Of gateway/hints.py: a broker that hangs holds nobody up, and nothing piles up for it."""

import socket

import redis
from structlog.testing import capture_logs

from gateway import hints
from gateway.hints import Hints
from tests.integration.gateway.waiting import until


def waiting_in(client: redis.Redis) -> int:
    return sum(int(client.llen(name)) for name in client.scan_iter("q:model.m*"))  # type: ignore[arg-type]


def test_hints_reach_the_broker(redis_url: str) -> None:
    sender = Hints(redis_url)

    for number in range(5):
        sender.send(f"job-{number}", "m", "interactive")

    with redis.Redis.from_url(redis_url) as client:
        until(lambda: waiting_in(client) == 5)
    sender.close()


def test_what_is_too_much_for_a_broker_that_hangs_is_dropped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender = Hints(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")

        with capture_logs() as logs:
            for number in range(hints.MAX_WAITING + 7):
                sender.send(f"job-{number}", "m", "interactive")

        assert [entry["event"] for entry in logs] == ["hint_dropped"] * 7
        sender.close()
