"""`drover generate` on a real stack."""

import json
import signal
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Drover
from tests.integration.cli.test_chat import begun
from tests.stack import Stack, wait_until

SHORT = ("--max-tokens", "4", "--seed", "1")


def test_a_prompt_comes_from_the_command_line_a_file_or_a_pipe(drover: Drover, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Once upon a time")

    by_word = drover("generate", "Once upon a time", *SHORT)
    by_file = drover("generate", "-f", str(tmp_path / "prompt.txt"), *SHORT)
    by_dash = drover("generate", "-", *SHORT, stdin="Once upon a time")
    by_pipe = drover("generate", *SHORT, stdin="Once upon a time")

    assert by_word.returncode == 0, by_word.stderr
    assert by_word.stdout.strip()
    assert {done.stdout for done in (by_file, by_dash, by_pipe)} == {by_word.stdout}


def test_json_tells_all_choices_and_what_they_used(drover: Drover, serving: Stack) -> None:
    done = drover("generate", "Once", *SHORT, "-n", "2", "--json")

    told = json.loads(done.stdout)
    assert [choice["index"] for choice in told["choices"]] == [0, 1]
    assert told["text"] == told["choices"][0]["text"]
    assert told["finish_reason"] == "length"
    assert told["usage"]["completion_tokens"] == 8
    assert told["model"] == serving.model


def test_choices_come_one_after_the_other(drover: Drover) -> None:
    told = json.loads(drover("generate", "Once", *SHORT, "-n", "2", "--json").stdout)
    spoken = drover("generate", "Once", *SHORT, "-n", "2").stdout

    first, second = (choice["text"] for choice in told["choices"])
    assert spoken == f"{first}\n---\n{second}\n"


def test_an_echo_begins_with_the_prompt(drover: Drover) -> None:
    plain = drover("generate", "Once", *SHORT).stdout
    echoed = drover("generate", "Once", *SHORT, "--echo").stdout

    assert echoed == f"Once{plain}"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "nothing to go on from"),
        (["a", "-f", "b"], 2, "exclude each other"),
        (["-f", "/nowhere/prompt"], 1, "/nowhere/prompt cannot be read"),
        (["a", "--max-tokens", "many"], 2, "--max-tokens"),
        (["a", "--temperature", "9"], 1, "temperature"),
        (["a", "-m", "all-minilm-l6-v2"], 1, "all-minilm-l6-v2"),
    ],
)
def test_what_cannot_be_generated_is_said(drover: Drover, arguments: list[str], status: int, words: str) -> None:
    done = drover("generate", *arguments)

    assert done.returncode == status
    assert words in done.stderr
    assert done.stdout == ""


def test_ctrl_c_cancels_the_job(serving: Stack, environment: dict[str, str]) -> None:
    with begun(environment, "generate", "Once upon a time", "--verbose") as process:
        assert process.stderr is not None
        process.stderr.readline()
        job_id = process.stderr.readline().split()[-1]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert process.returncode == 130
    with serving.client() as client:
        wait_until(lambda: client.get(f"/v1/jobs/{job_id}").json()["state"] == "cancelled", "the job has ended")
