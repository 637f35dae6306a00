import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep

import httpx
import psutil
import pytest

from tests.stack import wait_until

PROGRAM = """
import asyncio, sys
from fastapi import Request, Response
from shared.http import TimeLimits, serve, service_app
from shared.telemetry import configure_logging

async def ready():
    return {}

app = service_app("test", readiness=ready, max_body_bytes=1000)

@app.post("/length")
async def length(request: Request):
    return len(await request.body())

@app.get("/large")
async def large():
    return Response(b"x" * 30_000_000)

@app.get("/slow")
async def slow():
    print('"slow has begun"', flush=True)
    await asyncio.sleep(1.5)
    return "done"

configure_logging("test")
limits = TimeLimits(head_s=0.6, body_s=0.6, write_s=0.6)
serve(app, "127.0.0.1", int(sys.argv[1]), port_setting="TEST_PORT", time_limits=limits)
"""


@contextmanager
def serving() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A server in a process of its own, and its URL."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        port = next(json.loads(line)["port"] for line in process.stdout if '"listening"' in line)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as (_, url):
        yield url


def connected(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), timeout=10)


def answer_of(caller: socket.socket) -> bytes:
    """Everything until the server closes."""
    return b"".join(iter(lambda: caller.recv(65536), b""))


def has_connection(process: "subprocess.Popen[str]", caller: socket.socket) -> bool:
    ours = caller.getsockname()[1]
    return any(one.raddr and one.raddr.port == ours for one in psutil.Process(process.pid).net_connections("tcp"))


def has_answered(process: "subprocess.Popen[str]", caller: socket.socket) -> bool:
    return has_connection(process, caller) and bool(caller.recv(1, socket.MSG_PEEK))


def test_a_request_that_runs_is_finished_before_the_process_ends() -> None:
    with serving() as (process, url):
        assert process.stdout is not None
        with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as caller:
            caller.sendall(b"GET /slow HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            next(line for line in process.stdout if "slow has begun" in line)

            process.terminate()

            answer = b"".join(iter(lambda: caller.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 200")
        assert process.wait(timeout=30) == 0


def test_a_taken_port_is_one_sentence_and_status_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        ended = subprocess.run([sys.executable, "-c", PROGRAM, port], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stderr == f"Port {port} on 127.0.0.1 is taken: stop what uses it or set TEST_PORT.\n"
    assert "Traceback" not in ended.stdout


def test_a_large_announced_body_still_gets_its_413(url: str) -> None:
    response = httpx.post(f"{url}/length", content=b"x" * 3_000_000)

    assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")


def test_a_large_chunked_body_still_gets_its_413(url: str) -> None:
    response = httpx.post(f"{url}/length", content=(b"x" * 1000 for _ in range(3000)))

    assert response.status_code == 413


def test_a_body_that_trickles_in_endlessly_is_cut_off(url: str) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000
            sleep(0.01)

    assert httpx.post(f"{url}/length", content=endless(), timeout=20).status_code == 413


def test_the_server_says_nothing_of_its_software(url: str) -> None:
    assert "server" not in httpx.get(f"{url}/livez").headers


@pytest.mark.parametrize(
    ("head", "endless"),
    [
        (b"GET /livez HTTP/1.1\r\nX-Long: ", b"a" * 10_000),
        (b"GET /livez HTTP/1.1\r\n", b"X-Many: a\r\n" * 1000),
        (b"POST /length HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: a\r\n" * 1000),
    ],
)
def test_a_head_without_end_is_refused_before_it_fills_the_memory(url: str, head: bytes, endless: bytes) -> None:
    sent_bytes = 0

    with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0), timeout=10) as caller:
        caller.sendall(head)
        try:
            while sent_bytes < 20_000_000:
                caller.sendall(endless)
                sent_bytes += len(endless)
        except OSError:
            pass

    assert sent_bytes < 20_000_000
    assert httpx.get(f"{url}/livez").status_code == 200


def test_requests_with_bodies_may_follow_each_other_on_one_connection(url: str) -> None:
    with httpx.Client() as client:
        answers = [client.post(f"{url}/length", content=b"x" * 900).json() for _ in range(400)]

    assert set(answers) == {900}


@pytest.mark.parametrize("header", [b"X-Long: " + b"a" * 70_000, b"\r\n".join([b"X-Many: " + b"a" * 700] * 100)])
def test_a_large_head_is_a_400_though_it_ends(url: str, header: bytes) -> None:
    with connected(url) as caller:
        caller.sendall(b"GET /livez HTTP/1.1\r\nHost: test\r\n" + header + b"\r\n\r\n")

        answer = answer_of(caller)

    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "invalid_request_error"


@pytest.mark.parametrize(
    "unfinished",
    [
        b"GET /livez HTT",
        b"GET /livez HTTP/1.1\r\nHost: te",
        b"POST /length HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nx",
        b"POST /length HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\nGET /livez HTTP/1.1\r\n",
    ],
)
def test_a_request_that_does_not_end_is_a_408(url: str, unfinished: bytes) -> None:
    with connected(url) as caller:
        caller.sendall(unfinished)
        answer = answer_of(caller)

    status = answer.rpartition(b"HTTP/1.1 ")[2]
    assert status.startswith(b"408")
    assert json.loads(status.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_timeout"


def test_a_connection_on_which_nothing_is_asked_is_closed_without_a_word(url: str) -> None:
    with connected(url) as caller:
        assert answer_of(caller) == b""


def test_a_connection_on_which_nothing_more_is_asked_is_closed(url: str) -> None:
    with connected(url) as caller:
        caller.sendall(b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n")
        assert caller.recv(65536).startswith(b"HTTP/1.1 200")

        caller.sendall(b"\r\n")  # as much as begins no request, and yet ends uvicorn's own limit for idle connections

        assert b"200 OK" not in answer_of(caller)


def test_a_request_may_wait_unfinished_for_the_answer_before_it(url: str) -> None:
    with connected(url) as caller:
        caller.sendall(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\nPOST /length HTTP/1.1\r\nHost: test\r\n")
        first = b""
        while b"done" not in first:
            first += caller.recv(4096)
        caller.sendall(b"Content-Length: 2\r\n\r\nab")

        assert caller.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
def test_a_client_that_does_not_read_its_answer_is_cut_off(connection: bytes) -> None:
    with serving() as (process, url), connected(url) as caller:
        caller.sendall(b"GET /large HTTP/1.1\r\nHost: test\r\nConnection: " + connection + b"\r\n\r\n")

        wait_until(lambda: has_answered(process, caller), "the answer is on its way")
        wait_until(lambda: not has_connection(process, caller), "the server has let the connection go")
