"""`drover bench` against a server that misbehaves on demand; tests/e2e/test_bench.py asks the real stack."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.fakes.openai_server import TOKENS, openai_server

ROOT = Path(__file__).parents[3]
NO_SERVER = {"DROVER_URL": "", "DROVER_API_KEY": ""}


@pytest.fixture
def url() -> Iterator[str]:
    with openai_server() as address:
        yield address


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def bench(url: str, *options: str, tmp_path: Path) -> Done:
    """In this process: a new one takes a second, most of which is its imports."""
    done = CliRunner().invoke(app, ["bench", "--url", url, "--state-dir", str(tmp_path), *options], env=NO_SERVER)
    return Done(done.exit_code, done.stdout, done.stderr)


def test_a_table_has_a_row_for_each_number_of_streams(url: str, tmp_path: Path) -> None:
    done = bench(url, "--streams", "1,3", "--requests", "6", tmp_path=tmp_path)

    assert (done.returncode, done.stderr.splitlines()[0].split(",")[0]) == (0, f"good at {url}")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][:4] == ["streams", "requests", "errors", "tokens/s"]
    assert [line[:3] for line in lines if line[0].isdigit()] == [["1", "6", "0"], ["3", "6", "0"]]
    assert len(lines) == 1 + 2 * 4  # first token, inter-token, per token, end to end


def test_json_has_every_figure_and_nothing_beside_it(url: str, tmp_path: Path) -> None:
    done = bench(f"{url}/v1", "--streams", "2", "--requests", "4", "--json", tmp_path=tmp_path)

    [step] = json.loads(done.stdout)["steps"]
    assert (step["streams"], step["requests"], step["tokens"], step["errors"]) == (2, 4, 4 * TOKENS, {})
    assert step["inter_token_ms"]["count"] == 4 * (TOKENS - 1)
    assert step["tokens_are_counted"] is True


def test_seconds_are_kept(url: str, tmp_path: Path) -> None:
    done = bench(url, "--streams", "1", "--seconds", "0.5", "--json", tmp_path=tmp_path)

    assert 0.5 <= json.loads(done.stdout)["steps"][0]["seconds"] < 5


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("broken", "broken stream"),
        ("doubled", "doubled ids"),
        ("missing", "missing ids"),
        ("refusing", "429 rate_limit_exceeded"),
        ("failing", "in the stream: worker_lost"),
    ],
)
def test_errors_are_told_by_class_and_in_the_exit_status(url: str, tmp_path: Path, model: str, error: str) -> None:
    done = bench(url, "--streams", "1", "--requests", "2", "--model", model, tmp_path=tmp_path)

    assert done.returncode == 1
    assert f"1 streams: 2 × {error}" in done.stderr


def test_a_server_that_counts_no_tokens_has_its_pieces_counted(url: str, tmp_path: Path) -> None:
    done = bench(url, "--streams", "1", "--requests", "2", "--model", "uncounted", tmp_path=tmp_path)

    assert done.returncode == 0
    assert "pieces of text were counted" in done.stdout


def test_a_connection_that_the_server_has_closed_is_no_error(url: str, tmp_path: Path) -> None:
    done = bench(url, "--streams", "1", "--requests", "4", "--model", "closing", "--json", tmp_path=tmp_path)

    assert (done.returncode, json.loads(done.stdout)["steps"][0]["requests"]) == (0, 4)


def test_ctrl_c_prints_what_was_measured_so_far(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "bench", "--url", url, "--state-dir", str(tmp_path)]
    process = subprocess.Popen(
        [*command, "--streams", "2", "--seconds", "60", "--json"],
        cwd=ROOT,
        env={**os.environ, **NO_SERVER},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    assert process.stderr is not None
    process.stderr.readline()  # the warm-up is over
    time.sleep(1)

    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    assert json.loads(said)["steps"][0]["requests"] > 0


@pytest.mark.parametrize("options", [("--streams", "0"), ("--streams", "a"), ("--requests", "1", "--seconds", "1")])
def test_options_that_mean_nothing_are_refused(url: str, tmp_path: Path, options: tuple[str, ...]) -> None:
    assert bench(url, *options, tmp_path=tmp_path).returncode == 2


def test_where_nobody_answers_one_sentence_says_so(tmp_path: Path) -> None:
    done = bench("http://127.0.0.1:9", tmp_path=tmp_path)

    assert (done.returncode, len(done.stderr.strip().splitlines())) == (3, 1)
    assert "No server answers at http://127.0.0.1:9" in done.stderr
