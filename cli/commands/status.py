"""`drover status`: what runs in a state directory."""

import os
from typing import Annotated

import psutil
import typer
from rich.table import Table

from cli.options import DEFAULT_STATE_DIR, StateDirOption
from cli.stack.description import ProcessDescription, StackDescription
from cli.stack.services import answers_ready
from cli.stack.state_dir import StateDir
from cli.terminal import console, fail


def status(
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
    as_json: Annotated[bool, typer.Option("--json", help="Print stack.json as it is (it holds the keys).")] = False,
) -> None:
    """Say what runs; exit status 1 when no stack does, or a part of it is down."""
    state = StateDir(state_dir)
    stack = StackDescription.read(state.stack_file) if state.is_locked() else None
    if stack is None:
        raise fail(f"No stack is up in {state.path}: `drover up` starts one.")
    if as_json:
        console.print(stack.model_dump_json(indent=2))
        return
    lines = [(process, _line_of(process)) for process in stack.processes]
    ready = {url: answers_ready(url) for url in stack.gateways}
    folder = os.path.commonpath([process.log for process in stack.processes])
    table = Table("process", "pid", "state", "memory", box=None, pad_edge=False)
    for process, (state_of_it, memory) in lines:
        table.add_row(process.name, str(process.pid), state_of_it, memory)
    console.print(table)
    for url, is_ready in ready.items():
        console.print(f"{url} {'is ready' if is_ready else 'is not ready'}")
    console.print(f"logs in {folder}")
    console.print(f"model {stack.model or 'none'}, embedding model {stack.embedding_model or 'none'}")
    if not all(ready.values()) or any(state_of_it != "running" for _, (state_of_it, _) in lines):
        raise typer.Exit(1)


def _line_of(process: ProcessDescription) -> tuple[str, str]:
    """Its state and its memory."""
    try:
        running = psutil.Process(process.pid)
        if running.status() == psutil.STATUS_ZOMBIE:
            return "ended", ""
        return "running", f"{running.memory_info().rss / 2**20:.0f} MiB"
    except psutil.Error:
        return "ended", ""
