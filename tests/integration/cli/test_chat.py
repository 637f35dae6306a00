"""`drover chat` without a terminal: on a real stack, and where nothing is as it should be."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.integration.cli.conftest import Drover
from tests.stack import Stack, wait_until

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
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def chat(
    url: str, *options: str, stdin: bytes = b"Hello\n", api_key: str = "drv_x"
) -> subprocess.CompletedProcess[str]:
    arguments = ["chat", "--url", url, "--api-key", api_key, *options]
    done = CliRunner().invoke(app, arguments, input=stdin, env={"DROVER_SESSION": ""})
    assert isinstance(done.exception, SystemExit | None), done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def is_one_sentence(done: subprocess.CompletedProcess[str], words: str, status: int = 1) -> None:
    assert done.returncode == status
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize("url", [Stranger], indirect=True)
def test_a_server_that_is_no_drover_is_named(url: str) -> None:
    is_one_sentence(chat(url), f"{url} does not answer as Drover does")


def test_an_address_that_is_none_is_named() -> None:
    is_one_sentence(chat("http://127.0.0.1:port"), "No gateway answers at http://127.0.0.1:port", status=3)


@pytest.mark.parametrize("api_key", ["ключ", "drv_a\nb"])
def test_a_key_that_no_header_can_hold_is_refused(url: str, api_key: str) -> None:
    is_one_sentence(chat(url, api_key=api_key), "The API key has characters")


def test_a_line_that_is_not_utf8_is_refused(url: str) -> None:
    is_one_sentence(chat(url, stdin=b"a\xff\xed\xa0\x80b\n"), "Standard input is not UTF-8 (byte 1)")


def test_a_system_message_that_is_not_utf8_is_refused(url: str) -> None:
    is_one_sentence(chat(url, "--system", os.fsdecode(b"\xff")), "This cannot be sent")


def test_a_temperature_that_is_no_number_is_refused(url: str) -> None:
    is_one_sentence(chat(url, "--temperature", "nan"), "This cannot be sent")


@pytest.mark.parametrize("options", [[], ["--lines"], ["-f", os.devnull]])
def test_nothing_to_say_is_a_mistake_of_the_command_line(url: str, options: list[str]) -> None:
    done = chat(url, *options, stdin=b"\n")

    assert done.returncode == 2
    assert "There is nothing to say" in done.stderr


def test_closed_standard_input_holds_nothing(url: str) -> None:
    command = [sys.executable, "-m", "cli.main", "chat", "--url", url, "--api-key", "drv_x"]

    done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], cwd=ROOT, capture_output=True, timeout=60)

    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_without_a_server_the_way_to_one_is_said(drover: Drover, tmp_path: Path) -> None:
    done = drover("chat", "Hello", "--state-dir", str(tmp_path), DROVER_URL="", DROVER_API_KEY="")

    is_one_sentence(done, "start one with `drover up`", status=3)


def test_the_next_gateway_is_asked_where_the_first_is_away(serving: Stack, drover: Drover) -> None:
    done = drover("chat", "Hello", "--max-tokens", "2", DROVER_URL=f"127.0.0.1:9, {serving.url}")

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def messages(serving: Stack, session_id: str) -> list[dict[str, Any]]:
    with serving.client() as client:
        listed: list[dict[str, Any]] = client.get(f"/v1/sessions/{session_id}/messages").json()["data"]
    return listed


def test_message_files_and_pipe_make_one_message(serving: Stack, drover: Drover, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("of a file\n")

    done = drover(
        "chat", "A", "question", "-f", str(tmp_path / "a.txt"), "--max-tokens", "3", "--json", stdin="of a pipe\n"
    )

    told = json.loads(done.stdout)
    asked, answer = messages(serving, told["session_id"])
    assert asked["content"] == "A question\n\nof a file\n\nof a pipe"
    assert answer["content"] == told["content"]
    assert (told["finish_reason"], told["usage"]["completion_tokens"], told["model"]) == ("length", 3, serving.model)
    assert len(told["job_id"]) == 32


def test_the_answer_is_plain_text_with_a_line_break_at_its_end(drover: Drover) -> None:
    done = drover("chat", "--max-tokens", "3", stdin="Hello\n")

    assert done.stdout.endswith("\n")
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""


def test_lines_are_messages_of_one_session_with_a_title(serving: Stack, drover: Drover) -> None:
    done = drover("chat", "--lines", "--json", "--max-tokens", "2", "--system", "Be kind.", stdin="One?\n\nTwo?\n")

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({answer["session_id"] for answer in told}) == 1
    stored = messages(serving, told[0]["session_id"])
    assert [message["role"] for message in stored] == ["system", "user", "assistant", "user", "assistant"]
    with serving.client() as client:
        assert client.get(f"/v1/sessions/{told[0]['session_id']}").json()["title"] == "One?"


def test_a_session_goes_on_by_option_or_by_environment_unless_a_new_one_is_wanted(drover: Drover) -> None:
    short = ("--json", "--max-tokens", "1")
    first = json.loads(drover("chat", "One", *short).stdout)["session_id"]

    by_option = json.loads(drover("chat", "Two", "-s", first[-10:], *short).stdout)["session_id"]
    by_name = json.loads(drover("chat", "Three", *short, DROVER_SESSION=first).stdout)["session_id"]
    another = json.loads(drover("chat", "Four", "--new", *short, DROVER_SESSION=first).stdout)["session_id"]

    assert (by_option, by_name) == (first, first)
    assert another != first
    assert drover("chat", "Five", "--new", "-s", first).returncode == 2


def test_a_refused_message_leaves_no_empty_session(serving: Stack, drover: Drover) -> None:
    with serving.client() as client:
        before = client.get("/v1/sessions").json()["first_id"]
        done = drover("chat", "Hello", "--model", "no-such-model")
        after = client.get("/v1/sessions").json()["first_id"]

    is_one_sentence(done, "The model 'no-such-model' does not exist")
    assert before == after


def test_more_is_said_of_an_error_where_that_is_wanted(drover: Drover) -> None:
    done = drover("chat", "Hello", "--model", "no-such-model", "--verbose")

    assert done.returncode == 1
    assert "status 404" in done.stderr
    assert "code model_not_found" in done.stderr
    assert "request_id req_" in done.stderr


def begun(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them ignore Ctrl-C, which every child would inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_ctrl_c_cancels_the_answer_and_the_session_keeps_what_came(
    serving: Stack, drover: Drover, environment: dict[str, str]
) -> None:
    session_id = json.loads(drover("chat", "Hello", "--json", "--max-tokens", "1").stdout)["session_id"]
    with begun(environment, "chat", "Tell me a story.", "-s", session_id) as process:
        assert process.stdout is not None
        first = process.stdout.read(10)
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=30)

    assert (process.returncode, said) == (130, "")
    wait_until(lambda: messages(serving, session_id)[-1]["status"] == "incomplete", "the turn has ended")
    kept = messages(serving, session_id)[-1]
    assert kept["finish_reason"] == "cancelled"
    assert kept["content"].startswith((first + rest).rstrip("\n"))
    assert 0 < kept["usage"]["completion_tokens"] < 100
    again = json.loads(drover("chat", "And on?", "-s", session_id, "--json", "--max-tokens", "1").stdout)
    assert again["session_id"] == session_id


def test_ctrl_c_leaves_a_whole_json_object(environment: dict[str, str]) -> None:
    with begun(environment, "chat", "Tell me a story.", "--json", "--verbose") as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("asking ")
        assert process.stderr.readline().startswith("job ")
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    assert json.loads(told)["finish_reason"] == "cancelled"
    assert json.loads(told)["usage"]["completion_tokens"] < 100


def test_a_reader_that_has_enough_ends_the_answer_quietly(serving: Stack, environment: dict[str, str]) -> None:
    with begun(environment, "chat", "Tell me a story.") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        said = process.stderr.read()

    assert (process.returncode, said) == (141, "")
    with serving.client() as client:
        session_id = client.get("/v1/sessions").json()["first_id"]
    wait_until(lambda: messages(serving, session_id)[-1]["status"] == "incomplete", "the turn has ended")


def test_a_pipe_that_stays_silent_is_named_on_the_terminal(environment: dict[str, str]) -> None:
    shown, terminal = pty.openpty()
    command = [sys.executable, "-m", "cli.main", "chat", "Hello", "--max-tokens", "2"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**environment, "TERM": "xterm"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        said = os.read(shown, 1000)
        answer, _ = process.communicate(timeout=60)
    os.close(shown)

    assert b"reading standard input; < /dev/null leaves it out" in said
    assert (process.returncode, answer.strip() != b"") == (0, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk without room")
def test_an_output_without_room_is_one_sentence(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "cli.main", "chat", "Hello", "--max-tokens", "2"]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True
        )

    is_one_sentence(done, "Standard output cannot be written: No space left on device.")
