"""The servers of the stack benchmark, each started in a temporary folder on free ports and ended with its block."""

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.servers import free_port
from tests.stack import ROOT, Stack, running_stack

LITELLM = "litellm[proxy]==1.106.2"
"""In an environment of its own: it brings some hundred packages, which are none of our lock's business."""
_LITELLM_VENV = ROOT / ".build" / "litellm"
_EMBEDDER = ROOT / "models" / "all-minilm-l6-v2.gguf"
"""A stack is up only when its embedding service has a model."""
_START_S = 120.0
_MODEL = "bench"


@dataclass(frozen=True)
class Target:
    """A server to measure. `name` is what the table calls it."""

    name: str
    url: str
    api_key: str
    model: str


@dataclass(frozen=True)
class Setup:
    """What all sides are started with; `context` are the tokens of one slot."""

    path: Path
    threads: int
    slots: int = 16
    context: int = 512


def of_stack(stack: Stack) -> Target:
    return Target("drover", stack.url, stack.api_key, stack.model)


@contextmanager
def drover(setup: Setup) -> Iterator[Target]:
    """A whole stack of one gateway and one worker that serves this file alone."""
    folder = Path(tempfile.mkdtemp(prefix="drover-bench-"))
    try:
        shutil.copyfile(setup.path, folder / "bench.gguf")
        shutil.copyfile(_EMBEDDER, folder / _EMBEDDER.name)
        (folder / "models.toml").write_text(
            f'[models.{_MODEL}]\nfile = "bench.gguf"\nkind = "chat"\ncontext_length = {setup.context}\n'
            f'[models.embedder]\nfile = "{_EMBEDDER.name}"\nkind = "embedding"\n'
            "context_length = 256\ndimensions = 384\n"
        )
        settings = {"WORKER_THREADS": str(setup.threads), "WORKER_SLOTS": str(setup.slots)}
        with running_stack(DROVER_MODELS_DIR=str(folder), **settings) as stack:
            yield of_stack(stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def llama_server(program: Path, setup: Setup) -> Iterator[Target]:
    """llama-server with the same file, slots, context and threads."""
    port = free_port()
    command: list[object] = [program, "-m", setup.path, "--host", "127.0.0.1", "--port", port, "--log-disable"]
    command += ["-np", setup.slots, "-c", setup.slots * setup.context, "-t", setup.threads, "-tb", setup.threads]
    with _process(command, f"http://127.0.0.1:{port}", "/health") as url:
        yield Target("llama-server", url, "none", _MODEL)


@contextmanager
def litellm(upstream: Target) -> Iterator[Target]:
    """LiteLLM's proxy before `upstream`, one worker process, nothing but the forwarding switched on."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="drover-bench-") as folder:
        configuration = Path(folder) / "config.yaml"
        configuration.write_text(
            f"model_list:\n  - model_name: {_MODEL}\n    litellm_params:\n      model: openai/{_MODEL}\n"
            f"      api_base: {upstream.url}/v1\n      api_key: none\n"
        )
        command: list[object] = [_litellm_program(), "--config", configuration, "--host", "127.0.0.1"]
        command += ["--port", port, "--num_workers", 1]
        api_key = f"sk-{secrets.token_hex(24)}"  # it does not start without one, and ours checks keys, too
        variables = {
            "LITELLM_MASTER_KEY": api_key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the internet first
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
        }
        with _process(command, f"http://127.0.0.1:{port}", "/health/liveliness", variables, folder) as url:
            yield Target("LiteLLM + llama-server", url, api_key, _MODEL)


def _litellm_program() -> Path:
    """LiteLLM's command, installed with uv if it is not there."""
    program = _LITELLM_VENV / "bin" / "litellm"
    if not program.exists():
        subprocess.run(["uv", "venv", "--quiet", "--python", "3.11", _LITELLM_VENV], check=True)
        install = ["uv", "pip", "install", "--quiet", "--python", _LITELLM_VENV / "bin" / "python", LITELLM]
        subprocess.run(install, check=True)
    return program


@contextmanager
def _process(
    command: list[object], url: str, ready_path: str, variables: dict[str, str] | None = None, folder: str | None = None
) -> Iterator[str]:
    """The process while its block runs; gives its URL once `ready_path` answers 200."""
    environment = {**os.environ, **(variables or {})}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*map(str, command)], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            end = time.monotonic() + _START_S
            while not _is_ready(f"{url}{ready_path}"):
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} did not start:\n{log.read()[-3000:].decode(errors='replace')}")
                time.sleep(0.2)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
