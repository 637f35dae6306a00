"""The embedded Redis and Postgres as children of a supervisor."""

import os
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from cli.stack.ports import Ports
from cli.stack.postgres import EmbeddedPostgres
from cli.stack.reachability import postgres_problem
from cli.stack.supervisor import Supervisor
from cli.stack.valkey import EmbeddedRedis, answers_ping


@pytest.fixture
def folder() -> Iterator[Path]:
    """A path with spaces that is too long for a Unix socket; pytest would close its own to Postgres' user again."""
    with tempfile.TemporaryDirectory(prefix="drover test ", ignore_cleanup_errors=True) as top:
        deep = Path(top) / ("a folder with a long name " * 3) / ("and another one below it " * 3)
        deep.mkdir(parents=True)
        yield deep


@pytest.fixture
def stopping() -> threading.Event:
    return threading.Event()


@pytest.fixture
def supervisor(stopping: threading.Event) -> Iterator[Supervisor]:
    made = Supervisor(lambda _line: None, lambda: None, stopping)
    yield made
    made.stop()


def kill_and_watch_until_back(supervisor: Supervisor, stopping: threading.Event) -> None:
    child = supervisor.children[0]
    os.kill(child.pid, signal.SIGKILL)

    def wait() -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end and not (supervisor.children[0].pid != child.pid and child.spec.is_ready()):
            time.sleep(0.05)
        stopping.set()

    threading.Thread(target=wait).start()
    supervisor.watch()
    stopping.clear()
    assert supervisor.children[0].pid != child.pid


def test_redis_keeps_what_it_accepted_over_a_kill_and_evicts_nothing(
    folder: Path, supervisor: Supervisor, stopping: threading.Event
) -> None:
    server = EmbeddedRedis(folder / "redis", Ports().any(), "secret", folder / "redis.log")
    server.prepare()
    supervisor.start([server.spec()])
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        client.set("kept", "yes")
        settings = client.config_get("appendonly", "appendfsync", "maxmemory-policy", "bind")

    kill_and_watch_until_back(supervisor, stopping)

    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        assert client.get("kept") == "yes"
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
    }


def test_redis_asks_for_its_password_and_shows_it_to_nobody(folder: Path, supervisor: Supervisor) -> None:
    server = EmbeddedRedis(folder / "redis", Ports().any(), "secret", folder / "redis.log")
    server.prepare()
    supervisor.start([server.spec()])

    assert not answers_ping(server.url.replace(":secret@", ""))
    assert "secret" not in " ".join(psutil.Process(supervisor.children[0].pid).cmdline())
    assert stat.S_IMODE((folder / "redis" / "valkey.conf").stat().st_mode) == 0o600


def test_postgres_keeps_what_was_committed_over_a_kill_and_over_a_new_start(
    folder: Path, supervisor: Supervisor, stopping: threading.Event
) -> None:
    server = EmbeddedPostgres(folder / "postgres", Ports().any(), "secret", folder / "postgres.log")
    assert server.prepare() is True
    supervisor.start([server.spec()])
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'yes' AS answer")

    kill_and_watch_until_back(supervisor, stopping)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == ("yes",)

    supervisor.stop()
    again = EmbeddedPostgres(folder / "postgres", Ports().any(), "secret", folder / "postgres.log")
    assert again.prepare() is False
    supervisor.start([again.spec()])
    with psycopg.connect(again.url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == ("yes",)
    assert postgres_problem(again.url.replace("secret", "wrong")) is not None


def test_the_files_of_an_initdb_that_was_interrupted_are_made_anew(folder: Path) -> None:
    (folder / "postgres.new").mkdir()
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")

    server = EmbeddedPostgres(folder / "postgres", Ports().any(), "secret", folder / "postgres.log")

    assert server.prepare() is True
    assert (folder / "postgres" / "global").is_dir()
