"""Of gateway/hints.py: a broker that hangs holds nobody up, and nothing piles up for it."""

import socket
from urllib.parse import urlsplit

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


def test_a_way_that_is_open_has_a_connection_before_the_first_hint(redis_url: str) -> None:
    sender = Hints(urlsplit(redis_url)._replace(path="/7").geturl())  # kombu keeps connections of other tests' senders
    with redis.Redis.from_url(redis_url) as client:
        others = {each["id"] for each in client.client_list()}

        sender.open()

        until(lambda: bool({each["id"] for each in client.client_list()} - others))
    sender.close()


def test_a_broker_that_is_away_at_the_start_is_a_warning() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    sender = Hints(f"redis://127.0.0.1:{port}/0")

    with capture_logs() as logs:
        sender.open()
        until(lambda: bool(logs))

    assert [entry["event"] for entry in logs] == ["broker_not_reached"]
    sender.close()


def test_what_is_too_much_for_a_broker_that_hangs_is_dropped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender = Hints(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")

        with capture_logs() as logs:
            for number in range(hints.MAX_WAITING + 7):
                sender.send(f"job-{number}", "m", "interactive")

        assert [entry["event"] for entry in logs] == ["hint_dropped"] * 7
        sender.close()
