"""The load harness and `drover bench` against the real stack."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.stack import ROOT, Stack

PNG = b"\x89PNG\r\n\x1a\n"


def load(stack: Stack, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: Locust makes the sockets of its whole process gevent's."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.load", "--url", stack.url, "--key", stack.api_key]
    whole = [*command, "--max-tokens", "24", "--out", str(out), *options]
    return subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def run(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = tmp_path_factory.mktemp("load")
    mix = ("--mix", "chat=4,session=4,embeddings=2", "--users", "4", "--duration", "5")
    return load(stack, out, *mix, "--max-error-rate", "0", "--max-ttft-p99-ms", "60000", "--min-tokens-per-s", "1"), out


def report_of(out: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def test_a_run_that_keeps_its_thresholds_ends_well(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, out = run

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("kept: ") == 3
    assert [words.split(":")[0] for words in report_of(out)["thresholds"]] == ["kept"] * 3


def test_every_workload_is_measured_without_an_error(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    summaries = report_of(run[1])["summaries"]

    assert set(summaries) == {"all", "chat", "session", "embeddings"}
    assert summaries["all"]["errors"] == {}
    assert summaries["session"]["first_token_ms"]["count"] > 0
    assert summaries["embeddings"]["prompt_tokens"] > 0


def test_the_report_is_a_page_with_its_plots_in_it(run: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    _, out = run

    page = (out / "report.html").read_text()

    assert (out / "report.png").read_bytes().startswith(PNG)
    assert "data:image/png;base64,iVBORw0KGgo" in page
    assert "<h2>Thresholds</h2>" in page
    assert any(window["queue_depth"] is not None for window in report_of(out)["windows"])


def test_a_run_that_misses_a_threshold_ends_with_status_1(stack: Stack, tmp_path: Path) -> None:
    done = load(stack, tmp_path, "--users", "1", "--duration", "1", "--max-ttft-p95-ms", "0.001")

    assert done.returncode == 1
    assert "MISSED: time to first token, p95, ms" in done.stderr


def test_drover_bench_measures_the_stack(stack: Stack, tmp_path: Path) -> None:
    options = ["--url", stack.url, "--api-key", stack.api_key, "--state-dir", str(tmp_path)]
    asked = ["--streams", "1,2", "--requests", "4", "--max-tokens", "16", "--ignore-eos", "--json"]

    done = CliRunner().invoke(app, ["bench", *options, *asked])

    assert done.exit_code == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["model"], [step["tokens"] for step in said["steps"]]) == (stack.model, [64, 64])
    assert all(step["first_token_ms"]["p50"] > 0 for step in said["steps"])
