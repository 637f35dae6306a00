import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep

import httpx
import pytest

PROGRAM = """
import asyncio, sys
from fastapi import Request
from shared.http import serve, service_app
from shared.telemetry import configure_logging

async def ready():
    return {}

app = service_app("test", readiness=ready, max_body_bytes=1000)

@app.post("/length")
async def length(request: Request):
    return len(await request.body())

@app.get("/slow")
async def slow():
    print('"slow has begun"', flush=True)
    await asyncio.sleep(0.5)
    return "done"

configure_logging("test")
serve(app, "127.0.0.1", int(sys.argv[1]), port_setting="TEST_PORT")
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
