"""TAB in a shell: the scripts of `drover completion`, and what the program offers when they ask it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.stack import Stack

DROVER = Path(sys.executable).with_name("drover")


def offered(environment: dict[str, str], *words: str) -> list[str]:
    """What bash is told after `drover` and these words; the last one is half-typed."""
    asked = {"_DROVER_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["drover", *words]), "COMP_CWORD": "1"}
    asked["COMP_CWORD"] = str(len(words))
    done = CliRunner().invoke(app, [], env={**environment, **asked}, prog_name="drover")
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_and_options_are_completed(environment: dict[str, str]) -> None:
    assert offered(environment, "se") == ["sessions"]
    assert "--system" in offered(environment, "chat", "--s")
    assert offered(environment, "sessions", "ex") == ["export"]


def test_models_are_those_of_the_kind_that_the_command_takes(serving: Stack, environment: dict[str, str]) -> None:
    assert offered(environment, "chat", "--model", "") == [serving.model]
    assert offered(environment, "embed", "--model", "al") == ["all-minilm-l6-v2"]


def test_sessions_are_completed(serving: Stack, environment: dict[str, str]) -> None:
    with serving.client() as client:
        session_id = client.post("/v1/sessions", json={"title": "A title"}).json()["id"]

    assert session_id in offered(environment, "sessions", "show", session_id[:9])


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", ""])
def test_without_a_server_nothing_is_offered_and_nothing_said(
    environment: dict[str, str], tmp_path: Path, url: str
) -> None:
    gone = {**environment, "DROVER_URL": url, "DROVER_API_KEY": ""}

    assert offered(gone, "sessions", "show", "--state-dir", str(tmp_path), "") == []


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes_with_the_script(environment: dict[str, str]) -> None:
    pressed = (
        'eval "$(drover completion bash)"; COMP_WORDS=(drover sessions ex); COMP_CWORD=2; '
        '_drover_completion drover; echo "${COMPREPLY[@]}"'
    )

    done = subprocess.run(
        ["bash", "--norc", "-c", pressed],
        env={**environment, "PATH": f"{DROVER.parent}{os.pathsep}{environment['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.stdout, done.stderr) == ("export\n", "")


@pytest.mark.parametrize(("shell", "words"), [("zsh", "compdef"), ("fish", "complete --command drover")])
def test_the_other_shells_have_scripts_too(shell: str, words: str) -> None:
    done = CliRunner().invoke(app, ["completion", shell])

    assert done.exit_code == 0
    assert words in done.stdout


def test_an_unknown_shell_is_a_mistake_of_the_command_line() -> None:
    assert CliRunner().invoke(app, ["completion", "tcsh"]).exit_code == 2
