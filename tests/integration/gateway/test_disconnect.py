"""A client that leaves frees what it held, in every phase."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import redis

from tests.fakes.scripted_worker import ScriptedWorker
from tests.integration.gateway.conftest import Sessions, StartGateway
from tests.integration.gateway.waiting import until

HELLO: dict[str, Any] = {"model": "drover-tiny", "messages": [{"role": "user", "content": "Hello"}]}


@contextmanager
def asking(gateway: str, api_key: str, body: dict[str, Any], **headers: str) -> Iterator[socket.socket]:
    """A request whose connection is closed at the end of the block, whatever has been answered by then."""
    content = json.dumps(body).encode()
    said = {
        "Host": "drover",
        "Authorization": f"Bearer {api_key}",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    address = urlsplit(gateway)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=10) as connection:
        connection.sendall(f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + content)
        yield connection


def states(redis_url: str) -> list[str]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        return [str(client.hget(key, "state")) for key in client.scan_iter("job:*")]


@pytest.mark.parametrize("is_stream", [True, False])
def test_leaving_while_the_job_waits_cancels_it(gateway: str, api_key: str, redis_url: str, is_stream: bool) -> None:
    with asking(gateway, api_key, {**HELLO, "stream": is_stream}):
        until(lambda: states(redis_url) == ["queued"])

    until(lambda: states(redis_url) == ["cancelled"])


@pytest.mark.parametrize("is_stream", [True, False])
def test_leaving_while_the_job_runs_cancels_it(
    gateway: str, api_key: str, redis_url: str, worker: ScriptedWorker, is_stream: bool
) -> None:
    worker.gate.clear()
    with asking(gateway, api_key, {**HELLO, "stream": is_stream}):
        until(lambda: states(redis_url) == ["running"])

    until(lambda: list(worker.ended.values()) == ["cancelled"])
    assert states(redis_url) == ["cancelled"]


def test_leaving_in_the_middle_of_a_stream_cancels_it(
    gateway: str, api_key: str, redis_url: str, worker: ScriptedWorker
) -> None:
    worker.texts, worker.pause_s = ["a"] * 1000, 0.01
    with asking(gateway, api_key, {**HELLO, "stream": True}) as connection:
        until(lambda: b'"content":"a"' in connection.recv(65536))

    until(lambda: list(worker.ended.values()) == ["cancelled"])


def test_leaving_while_the_turn_begins_frees_the_session(
    start_gateway: StartGateway, sessions: Sessions, api_key: str, redis_url: str
) -> None:
    with slowed(sessions.url) as (url, requests):
        gateway = start_gateway(session_service_url=url)
        headers = {"Authorization": f"Bearer {api_key}"}
        session_id = httpx.post(f"{gateway}/v1/sessions", json={}, headers=headers).json()["id"]
        with asking(gateway, api_key, {**HELLO, "session_id": session_id}):
            until(lambda: any(b"/internal/turns" in request for request in requests))

        until(lambda: states(redis_url) == ["cancelled"])

    def is_free() -> bool:
        with asking(gateway2, api_key, {**HELLO, "session_id": session_id, "stream": True}) as connection:
            return connection.recv(65536).startswith(b"HTTP/1.1 200")

    gateway2 = start_gateway()
    until(is_free)


def test_with_an_idempotency_key_the_job_goes_on(
    gateway: str, api_key: str, redis_url: str, worker: ScriptedWorker
) -> None:
    worker.gate.clear()
    with asking(gateway, api_key, {**HELLO, "stream": True}, **{"Idempotency-Key": "back-soon"}):
        until(lambda: states(redis_url) == ["running"])
    worker.gate.set()

    until(lambda: list(worker.ended.values()) == ["stop"])


def test_a_client_that_reads_nothing_is_cut_off_and_its_job_cancelled(
    start_gateway: StartGateway, api_key: str, worker: ScriptedWorker
) -> None:
    gateway = start_gateway(send_stall_s=0.3)
    worker.texts, worker.pause_s = ["x" * 20_000] * 2000, 0.005
    with asking(gateway, api_key, {**HELLO, "stream": True}):
        until(lambda: list(worker.ended.values()) == ["cancelled"], timeout_s=20)


@contextmanager
def slowed(url: str, delay_s: float = 0.5) -> Iterator[tuple[str, list[bytes]]]:
    """A way to the session service on which beginning a turn takes `delay_s` longer; with the requests that passed."""
    target = urlsplit(url)
    listener = socket.create_server(("127.0.0.1", 0))
    requests: list[bytes] = []
    is_over = threading.Event()

    def pump(source: socket.socket, sink: socket.socket, *, is_request: bool) -> None:
        with source, sink:
            while data := _received(source):
                if is_request:
                    requests.append(data.split(b"\r\n")[0])
                    if b"POST /internal/turns " in data:
                        is_over.wait(delay_s)
                sink.sendall(data)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            upstream = socket.create_connection((str(target.hostname), target.port or 80))
            for source, sink, is_request in ((client, upstream, True), (upstream, client, False)):
                threading.Thread(
                    target=pump, args=(source, sink), kwargs={"is_request": is_request}, daemon=True
                ).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
    finally:
        is_over.set()
        listener.close()


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(65536)
    except OSError:
        return b""
