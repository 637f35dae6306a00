import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.integration.embedding_service.conftest import TOKEN


def environment(models_dir: Path, **settings: str) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("EMBEDDING_")}
    ours = {"DROVER_MODELS_DIR": str(models_dir), "DROVER_INTERNAL_TOKEN": TOKEN, "EMBEDDING_THREADS": "1"}
    return others | ours | settings


COMMAND = [sys.executable, "-m", "embedding_service.main"]


@contextmanager
def running(models_dir: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The service as a process, and its URL."""
    process = subprocess.Popen(
        COMMAND, env=environment(models_dir, EMBEDDING_PORT="0"), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        port = next(json.loads(line)["port"] for line in process.stdout if '"listening"' in line)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def test_the_process_embeds_and_ends_on_sigterm(models_dir: Path, model_file: Path) -> None:
    with running(models_dir) as (process, url):
        response = httpx.post(
            f"{url}/internal/embeddings",
            json={"model": "random-bert", "input": ["the cat"]},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        metrics = httpx.get(f"{url}/metrics").text

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 0
    assert response.status_code == 200
    assert 'drover_tokens_total{kind="embedding",model="random-bert"} 4.0' in metrics
    assert 'drover_models_loaded{model="random-bert"} 1.0' in metrics


def test_a_taken_port_is_one_sentence(models_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ended = subprocess.run(
            COMMAND, env=environment(models_dir, EMBEDDING_PORT=str(port)), capture_output=True, text=True, check=False
        )

    assert ended.returncode == 1
    assert ended.stderr == f"Port {port} on 127.0.0.1 is taken: stop what uses it or set EMBEDDING_PORT.\n"


def test_a_missing_catalogue_is_one_sentence(tmp_path: Path) -> None:
    ended = subprocess.run(COMMAND, env=environment(tmp_path), capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "set DROVER_MODELS_DIR" in ended.stderr


def test_a_mistyped_setting_is_one_sentence(models_dir: Path) -> None:
    ended = subprocess.run(
        COMMAND, env=environment(models_dir, EMBEDDING_PROT="1"), capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert "EMBEDDING_PROT" in ended.stderr
