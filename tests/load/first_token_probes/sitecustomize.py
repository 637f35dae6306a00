"""Puts clocks around functions of the services that a traced stack runs; Python imports this file by its name.

The folder is on PYTHONPATH of the stack that `first_token_trace` starts, and of nothing else. Each call of a function
in PROBES becomes one line, [stage, job id, entered, left], in a file of the process; CLOCK_MONOTONIC is the same in all
processes of a machine. What a probe costs is some 5 µs.
"""

import base64
import functools
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

FOLDER = os.environ.get("DROVER_TRACE_FOLDER", "")
Ids = Callable[[Sequence[Any], Any], Iterable[str]]
"""Which jobs a call was for, from its arguments (self first) and its result."""


def _first_tokens(args: Sequence[Any], _: Any) -> Iterable[str]:
    return [event.job_id for event in args[1] if event.first_seq == 1]


def _of_hint(args: Sequence[Any], _: Any) -> Iterable[str]:
    return json.loads(base64.b64decode(args[1]["body"]))[0]


PROBES: dict[str, list[tuple[str, str, Ids]]] = {
    "fastapi.applications": [("FastAPI.__call__", "request", lambda *_: ())],
    "gateway.prompt": [("Prompts.prepare", "prepare", lambda _, prompt: [prompt.job_id])],
    "gateway.jobs": [
        ("Jobs.accept", "accept", lambda args, _: [args[1].id]),
        ("Jobs.read_log", "read log", lambda args, _: [args[1]]),
    ],
    "gateway.hints": [("Hints.send", "hint queued", lambda args, _: [args[1]])],
    "shared.hints": [("send_hint", "hint sent", lambda args, _: [args[1]])],
    "gateway.subscription": [
        ("Subscription.put", "event came", lambda args, _: [args[0].job_id]),
        ("Subscription.mark_dirty", "subscribed", lambda args, _: [args[0].job_id]),
    ],
    "gateway.chat.stream": [("ChatStream.tokens", "chunk made", lambda args, _: [args[1][0].job_id])],
    "kombu.transport.virtual.base": [("Transport._deliver", "hint read", _of_hint)],
    "worker.runner": [("Runner.run", "run", lambda args, _: [args[1]])],
    "shared.ledger.blocking": [
        ("Ledger.claim", "claim", lambda args, _: [args[1]]),
        ("Ledger.append", "append", _first_tokens),
    ],
    "worker.running": [("RunningJob.submit_to", "submit", lambda args, _: [args[0].id])],
    "worker.batcher": [("Batcher._begin", "admitted", lambda args, _: [args[1].job.id])],
    "worker.sequence": [("Sequence.accept", "sampled", lambda args, _: [args[0].job.id])],
}

_entered: ContextVar[float] = ContextVar("entered", default=0.0)


class Trace:
    """The file of this process. Only the first call of a stage for a job is written."""

    def __init__(self, folder: str):
        self._file = os.open(os.path.join(folder, f"{os.getpid()}.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._seen: set[tuple[str, str]] = set()

    def write(self, stage: str, jobs: Iterable[str], entered: float, left: float) -> None:
        for job in jobs:
            if (stage, job) not in self._seen:
                self._seen.add((stage, job))
                os.write(self._file, json.dumps([stage, job, entered, left]).encode() + b"\n")
                if stage == "prepare":
                    self.write("request", [job], _entered.get(), entered)


def probed(function: Callable[..., Any], stage: str, ids: Ids, trace: Trace) -> Callable[..., Any]:
    """The same function, with clocks."""
    if stage == "request":
        return _entering(function)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run(*args: Any, **kwargs: Any) -> Any:
            entered = time.monotonic()
            result = await function(*args, **kwargs)
            trace.write(stage, ids(args, result), entered, time.monotonic())
            return result

        return run

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        entered = time.monotonic()
        if stage == "run":  # it returns when the job is over
            trace.write(stage, ids(args, None), entered, entered)
            return function(*args, **kwargs)
        result = function(*args, **kwargs)
        trace.write(stage, ids(args, result), entered, time.monotonic())
        return result

    return call


def _entering(function: Callable[..., Any]) -> Callable[..., Any]:
    """An application that notes when it is called; its job gets an id later."""

    @functools.wraps(function)
    async def enter(self: Any, scope: Any, receive: Any, send: Any) -> Any:  # uvicorn looks at the signature
        _entered.set(time.monotonic())
        return await function(self, scope, receive, send)

    return enter


def install(module: ModuleType, trace: Trace) -> None:
    for path, stage, ids in PROBES[module.__name__]:
        *parents, name = path.split(".")
        owner: Any = module
        for parent in parents:
            owner = getattr(owner, parent, None)
        function = getattr(owner, name, None)
        if function is None:
            print(f"first_token_trace: {module.__name__} has no {path}", file=sys.stderr)
        else:
            setattr(owner, name, probed(function, stage, ids, trace))


class Finder(MetaPathFinder):
    """Finds the modules of PROBES as Python would, and sees to their probes once they are loaded."""

    def __init__(self, trace: Trace):
        self._trace = trace

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in PROBES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                install(module, self._trace)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if FOLDER:
    sys.meta_path.insert(0, Finder(Trace(FOLDER)))
