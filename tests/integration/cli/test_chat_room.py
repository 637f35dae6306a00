"""`drover chat` on a terminal: one conversation, each test goes on where the one before it ended."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack import Stack, wait_until

ROOT = Path(__file__).parents[3]
CTRL_C, CTRL_D, ENTER = "\x03", "\x04", "\r"
ALT_ENTER = "\x1b\r"
PROMPT = "\x1b[0m>"
_STATUS = re.compile(r"\r\x1b\[2K(\[[^\]]*\])?")
"""The status line, which comes and goes."""
_SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """A process on a terminal of its own, read until it has said something."""

    def __init__(self, command: list[str], environment: dict[str, str]):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=slave, stdout=slave, stderr=slave, preexec_fn=_own_terminal
        )
        os.close(slave)
        self.text = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, words: str, timeout_s: float = 60) -> str:
        """What was written since the last call, up to `words`."""
        end = time.monotonic() + timeout_s
        while words not in _STATUS.sub("", self.text):
            assert time.monotonic() < end, f"no {words!r} in {self.text!r}"
            if select.select([self._master], [], [], 0.2)[0]:
                self.text += self._read()
        written, _, self.text = _STATUS.sub("", self.text).partition(words)
        return _SEQUENCES.sub("", written + words).replace("\r", "")

    def say(self, line: str) -> str:
        """Type a line at the prompt; what came until the next prompt."""
        self.type(line + ENTER)
        self.until("\x1b[?2004l")
        return self.until(PROMPT)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def _read(self) -> str:
        try:
            return os.read(self._master, 65536).decode(errors="replace")
        except OSError:  # Linux' answer when the last process has closed the other end
            return ""


def _own_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def terminal(serving: Stack, home: Path) -> Iterator[Terminal]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DROVER_", "NO_COLOR"))}
    own = {"DROVER_URL": serving.url, "DROVER_API_KEY": serving.api_key, "XDG_STATE_HOME": str(home)}
    # Not to be asked where its cursor is, which only a person's terminal answers.
    shown = {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
    command = [sys.executable, "-m", "cli.main", "chat", "--max-tokens", "200"]
    opened = Terminal(command, {**kept, **own, **shown})
    yield opened
    opened.close()


def newest(serving: Stack) -> tuple[str, list[dict[str, Any]]]:
    """Id and messages of the newest session."""
    with serving.client() as client:
        session_id = client.get("/v1/sessions").json()["first_id"]
        return session_id, client.get(f"/v1/sessions/{session_id}/messages").json()["data"]


def test_the_room_says_who_is_there_and_how_to_get_help(serving: Stack, terminal: Terminal) -> None:
    begun = terminal.until(PROMPT)

    assert f"{serving.model}, a new session" in begun
    assert "/help" in begun


def test_ctrl_c_stops_an_answer_and_the_room_stays(serving: Stack, terminal: Terminal) -> None:
    terminal.type("Tell me a story." + ENTER)
    terminal.until("\x1b[?2004l")
    begun = terminal.until(" ") + terminal.until(" ")
    terminal.type(CTRL_C)
    said = begun + terminal.until(PROMPT)

    assert "[cancelled]" in said
    wait_until(lambda: newest(serving)[1][-1]["status"] == "incomplete", "the turn has ended")
    _, (asked, kept) = newest(serving)
    assert asked["content"] == "Tell me a story."
    assert kept["finish_reason"] == "cancelled"
    shown, _, _ = said.partition("^C")
    assert shown.strip()
    assert kept["content"].startswith(shown)


def test_a_message_of_several_lines_is_one_message(serving: Stack, terminal: Terminal) -> None:
    terminal.say("/system Say little.")
    terminal.type(f"One{ALT_ENTER}two\\{ENTER}three")
    terminal.say("")

    _, messages = newest(serving)
    assert [message["content"] for message in messages if message["role"] == "user"][-1] == "One\ntwo\nthree"
    assert "Say little." in [message["content"] for message in messages]


def test_a_message_is_said_again_in_a_fork(serving: Stack, terminal: Terminal) -> None:
    before, messages = newest(serving)

    said = terminal.say("/retry One, two, three.")

    fork, forked = newest(serving)
    assert fork in said
    assert fork != before
    assert [message["content"] for message in forked][-2] == "One, two, three."
    assert len(forked) == len(messages)


def test_a_message_can_be_edited_first(serving: Stack, terminal: Terminal) -> None:
    before, _ = newest(serving)
    terminal.type("/edit" + ENTER)
    terminal.until("One, two, three.")
    terminal.say(" Four.")

    edited, messages = newest(serving)
    assert edited != before
    assert messages[-2]["content"] == "One, two, three. Four."


def test_another_session_goes_on(serving: Stack, terminal: Terminal) -> None:
    with serving.client() as client:
        other = client.post("/v1/sessions", json={"title": "Elsewhere"}).json()["id"]

    listed = terminal.say("/sessions")
    switched = terminal.say(f"/switch {other[-12:]}")
    terminal.say("//etc is a folder")

    assert other in listed
    assert "Elsewhere" in switched
    with serving.client() as client:
        messages = client.get(f"/v1/sessions/{other}/messages").json()["data"]
    assert messages[0]["content"] == "/etc is a folder"


def test_a_session_is_exported_to_a_file(terminal: Terminal, home: Path) -> None:
    assert "written to" in terminal.say(f"/export {home / 'talk.jsonl'}")
    assert "is there already" in terminal.say(f"/export {home / 'talk.jsonl'}")

    lines = (home / "talk.jsonl").read_text().splitlines()
    assert [json.loads(line)["object"] for line in lines] == ["session", "session.message", "session.message"]


def test_what_the_room_does_not_know_is_said_and_it_stays(terminal: Terminal) -> None:
    assert "There is no /nonsense" in terminal.say("/nonsense")
    assert "no chat model 'nobody'" in terminal.say("/model nobody")
    assert "There is no session 'nowhere'" in terminal.say("/switch nowhere")
    assert "/retry [TEXT]" in terminal.say("/help")


def test_ctrl_d_ends_with_the_way_back_and_the_history_is_its_owners_alone(terminal: Terminal, home: Path) -> None:
    terminal.type(CTRL_D)
    said = terminal.until("goes on here.")

    assert "drover chat --session sess_" in said
    assert terminal.process.wait(timeout=30) == 0
    history = home / "drover" / "chat_history"
    assert "Tell me a story." in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600
