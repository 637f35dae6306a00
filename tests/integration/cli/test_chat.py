"""`drover chat` where nothing is as it should be: one sentence and exit status 1, never a traceback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[3]


class Stranger(BaseHTTPRequestHandler):
    """A web server that is no Drover."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>Welcome</html>")

    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Quietly."""


class Small(Stranger):
    """As much of Drover as a conversation needs before its first reply."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"id": "sess_1", "data": [{"id": "m"}]}')

    do_POST = do_GET


@pytest.fixture(params=[Small])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), request.param)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def chat(
    url: str, *options: str, stdin: bytes = b"Hello\n", api_key: str = "drv_x"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", "chat", "--url", url, "--api-key", api_key, *options]
    done = subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, timeout=60)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def is_one_sentence(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize("url", [Stranger], indirect=True)
def test_a_server_that_is_no_drover_is_named(url: str) -> None:
    is_one_sentence(chat(url), f"{url} does not answer as Drover does")


def test_an_address_that_is_none_is_named() -> None:
    is_one_sentence(chat("http://127.0.0.1:port"), "No gateway answers at http://127.0.0.1:port")


@pytest.mark.parametrize("api_key", ["ключ", "drv_a\nb"])
def test_a_key_that_no_header_can_hold_is_refused(url: str, api_key: str) -> None:
    is_one_sentence(chat(url, api_key=api_key), "The API key has characters")


def test_a_line_that_is_not_utf8_is_refused(url: str) -> None:
    is_one_sentence(chat(url, stdin=b"a\xff\xed\xa0\x80b\n"), "This cannot be sent")


def test_a_system_message_that_is_not_utf8_is_refused(url: str) -> None:
    is_one_sentence(chat(url, "--system", os.fsdecode(b"\xff")), "This cannot be sent")


def test_a_temperature_that_is_no_number_is_refused(url: str) -> None:
    is_one_sentence(chat(url, "--temperature", "nan"), "This cannot be sent")


def test_closed_standard_input_is_the_end_of_the_conversation(url: str) -> None:
    command = [sys.executable, "-m", "cli.main", "chat", "--url", url, "--api-key", "drv_x"]

    done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], cwd=ROOT, capture_output=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, b"")
