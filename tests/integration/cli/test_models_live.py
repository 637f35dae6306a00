"""Models that come and go while a stack is up: no service is restarted."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.stack import Stack, running_stack, wait_until

ROOT = Path(__file__).parents[3]
TINY = ROOT / "models" / "drover-tiny.gguf"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder of our own: drover-tiny, and an embedding model without its file, which delays nobody."""
    models = tmp_path_factory.mktemp("live") / "models"
    models.mkdir()
    shutil.copy(TINY, models)
    written = (ROOT / "models" / "models.toml").read_text(encoding="utf-8").partition("[models.all-minilm-l6-v2]")[0]
    vectors = '[models.vectors]\nfile = "vectors.gguf"\nkind = "embedding"\ncontext_length = 64\n'
    (models / "models.toml").write_text(written + vectors, encoding="utf-8")
    return models


@pytest.fixture(scope="module")
def stack(folder: Path) -> Iterator[Stack]:
    with running_stack("--gateways", "1", "--workers", "1", DROVER_MODELS_DIR=str(folder)) as running:
        yield running


def models(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "DROVER_MODELS_DIR": str(folder)}
    command = [sys.executable, "-m", "cli.main", "models", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def chat(stack: Stack, model: str, session_id: str | None = None) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 8, "temperature": 0}
    with stack.client() as client:
        return client.post("/v1/chat/completions", json=body | ({"session_id": session_id} if session_id else {}))


def names(stack: Stack) -> list[str]:
    with stack.client() as client:
        return [model["id"] for model in client.get("/v1/models").json()["data"]]


def test_a_model_that_is_added_answers_without_a_restart(stack: Stack, folder: Path) -> None:
    pids = [process["pid"] for process in stack.processes]
    assert chat(stack, "another").status_code == 404

    models(folder, "add", str(TINY), "--name", "another", "--context", "256")
    wait_until(lambda: "another" in names(stack), "the gateway lists the new model")
    with stack.client() as client:
        session_id = client.post("/v1/sessions", json={}).json()["id"]
    plain, in_session = chat(stack, "another"), chat(stack, "another", session_id)

    assert (plain.status_code, in_session.status_code) == (200, 200), f"{plain.text}\n{in_session.text}"
    assert plain.json()["model"] == "another"
    assert plain.json()["choices"][0]["message"]["content"]
    assert [process["pid"] for process in stack.processes] == pids


def test_the_list_says_who_holds_a_model(stack: Stack, folder: Path) -> None:
    def held() -> dict[str, list[str]]:
        found = json.loads(models(folder, "list", "--json", "--state-dir", str(stack.state_dir)))
        return {model["name"]: model["held_by"] for model in found}

    wait_until(lambda: held().get("another"), "a worker says that it holds the model")


def test_the_servers_own_list_has_it_too(stack: Stack, folder: Path) -> None:
    served = json.loads(models(folder, "served", "--json", "--state-dir", str(stack.state_dir)))
    table = models(folder, "served", "--state-dir", str(stack.state_dir))

    assert [model["id"] for model in served] == names(stack)
    assert "another" in table


def test_a_model_that_is_removed_is_not_found_any_more(stack: Stack, folder: Path) -> None:
    models(folder, "remove", "another", "--yes")

    wait_until(lambda: "another" not in names(stack), "the gateway lists the model no more")
    gone = chat(stack, "another")

    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "model_not_found")
    assert chat(stack, "drover-tiny").status_code == 200
