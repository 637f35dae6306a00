"""A whole stack from the command line, with the simulated engine; each test goes on where the one before it ended."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from cli.client.api import Api
from cli.conversation import Conversation

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def state_dir() -> Iterator[Path]:
    """Below a folder with a space in its name; whatever still runs there at the end is ended."""
    top = Path(tempfile.mkdtemp(prefix="drover cli-"))
    yield top / "state"
    drover("down", "--state-dir", str(top / "state"))
    shutil.rmtree(top, ignore_errors=True)


def drover(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DATABASE_URL", "HOME")}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=ROOT,
        env={**given, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=110,
    )


def up(state_dir: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return drover("up", "--detach", "--engine", "simulated", "--state-dir", str(state_dir), *more, **environment)


def read(state_dir: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((state_dir / "stack.json").read_text())
    return content


def pids(state_dir: Path) -> dict[str, int]:
    return {process["name"]: process["pid"] for process in read(state_dir)["processes"]}


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_until(is_true: Callable[[], object], timeout_s: float = 30) -> None:
    end = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.1)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_up_says_each_step_with_its_time_and_describes_the_stack(state_dir: Path) -> None:
    done = up(state_dir, "--gateways", "2")

    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("redis", "postgres", "session_service", "embedding_service", "worker-1", "gateway-1", "gateway-2"):
        assert re.search(rf"{name} is ready on 127\.0\.0\.1:\d+ \(\d+\.\d s\)", done.stdout)
    stack = read(state_dir)
    assert stack["url"] == stack["gateways"][0]
    assert [process["role"] for process in stack["processes"]].count("gateway") == 2
    assert stack["url"] in done.stdout
    assert stack["api_key"] in done.stdout
    assert "\x1b[" not in done.stdout


def test_the_keys_open_the_api_and_no_log_holds_them(state_dir: Path) -> None:
    stack = read(state_dir)

    for key in (stack["api_key"], stack["admin_key"]):
        models = httpx.get(f"{stack['url']}/v1/models", headers={"Authorization": f"Bearer {key}"})
        assert stack["model"] in [model["id"] for model in models.json()["data"]]

    secrets = json.loads((state_dir / "secrets.json").read_text()).values()
    for log in (state_dir / "logs").glob("*.log"):
        assert not [secret for secret in secrets if secret in log.read_text()]


def test_files_with_secrets_are_their_owners_alone(state_dir: Path) -> None:
    for name in ("stack.json", "secrets.json", "env", "redis/valkey.conf"):
        assert (state_dir / name).stat().st_mode & 0o077 == 0


def test_the_env_file_gives_a_shell_what_it_needs(state_dir: Path) -> None:
    said = subprocess.check_output(["sh", "-c", '. "$0" && env', str(state_dir / "env")], text=True)

    assert f"DROVER_URL={read(state_dir)['url']}" in said.splitlines()
    assert f"DROVER_API_KEY={read(state_dir)['api_key']}" in said.splitlines()


def test_status_lists_every_process(state_dir: Path) -> None:
    done = drover("status", "--state-dir", str(state_dir))

    assert done.returncode == 0, done.stdout
    assert all(str(pid) in done.stdout for pid in pids(state_dir).values())


def test_a_second_up_says_where_the_stack_runs(state_dir: Path) -> None:
    done = up(state_dir)

    assert done.returncode == 1
    assert "already runs" in done.stderr
    assert read(state_dir)["url"] in done.stderr
    assert "drover down" in done.stderr


def test_killed_processes_come_back_with_new_pids_and_the_stack_serves_again(state_dir: Path) -> None:
    before = pids(state_dir)
    killed = ("worker-1", "redis", "postgres", "session_service")
    for name in killed:
        os.kill(before[name], signal.SIGKILL)

    wait_until(lambda: all(pids(state_dir)[name] != before[name] for name in killed))

    after = pids(state_dir)
    assert {name for name in after if after[name] != before[name]} == set(killed)
    wait_until(lambda: all(is_ready(url) for url in read(state_dir)["gateways"]))


def test_a_reply_that_loses_its_gateway_goes_on_through_another(state_dir: Path) -> None:
    stack = read(state_dir)
    conversation = Conversation(Api(stack["gateways"], stack["api_key"]), stack["model"])
    generation = conversation.say("Tell me a story.", lambda said: None)

    pieces = generation.pieces()
    next(pieces)
    os.kill(pids(state_dir)["gateway-1"], signal.SIGKILL)
    list(pieces)

    answer = generation.answer
    assert (answer.is_over, answer.finish_reason) == (True, "stop")
    wait_until(lambda: is_ready(stack["url"]))
    stored = httpx.get(
        f"{stack['url']}/v1/sessions/{conversation.session_id}/messages",
        headers={"Authorization": f"Bearer {stack['api_key']}"},
    )
    assert [message["content"] for message in stored.json()["data"]] == ["Tell me a story.", answer.text]


def test_down_leaves_no_process_and_no_description(state_dir: Path) -> None:
    running = pids(state_dir)

    done = drover("down", "--state-dir", str(state_dir))

    assert done.returncode == 0, done.stdout + done.stderr
    assert not [name for name, pid in running.items() if runs(pid)]
    assert not (state_dir / "stack.json").exists()
    assert drover("status", "--state-dir", str(state_dir)).returncode == 1


def test_the_next_up_keeps_the_keys_and_a_killed_supervisor_leaves_nothing_behind(state_dir: Path) -> None:
    keys = [json.loads((state_dir / "secrets.json").read_text())[name] for name in ("api_key", "admin_key")]

    done = up(state_dir)

    assert done.returncode == 0, done.stdout + done.stderr
    assert [read(state_dir)[name] for name in ("api_key", "admin_key")] == keys
    running = pids(state_dir)
    os.kill(json.loads((state_dir / "processes.json").read_text())["supervisor"]["pid"], signal.SIGKILL)
    wait_until(lambda: not any(runs(pid) for pid in running.values()) or sys.platform != "linux")
    assert drover("down", "--state-dir", str(state_dir)).returncode == 0
    assert not [name for name, pid in running.items() if runs(pid)]
    assert not (state_dir / "stack.json").exists()


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        done = drover("up", "--engine", "simulated", "--state-dir", str(tmp_path / "state"), "--port", str(port))

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"Port {port} is taken")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "url", "sentence"),
    [
        ("REDIS_URL", "redis://:hidden@127.0.0.1:1/0", "No Redis answers at redis://:***@127.0.0.1:1/0"),
        ("DATABASE_URL", "postgresql://u:hidden@127.0.0.1:1/x", "No Postgres can be used at postgresql://u:***@127"),
    ],
)
def test_a_server_that_cannot_be_reached_is_one_sentence(tmp_path: Path, setting: str, url: str, sentence: str) -> None:
    given = {"REDIS_URL": "", "DATABASE_URL": "", setting: url}

    done = drover("up", "--engine", "simulated", "--state-dir", str(tmp_path / "state"), **given)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert "hidden" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_model_file_is_one_sentence_that_names_the_command(tmp_path: Path) -> None:
    shutil.copy(ROOT / "models" / "models.toml", tmp_path)

    done = drover("up", "--state-dir", str(tmp_path / "state"), DROVER_MODELS_DIR=str(tmp_path))

    assert done.returncode == 1
    assert "drover-tiny.gguf is missing: run `make models`" in done.stderr
