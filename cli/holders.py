"""Which workers of a running stack hold which models."""

from pathlib import Path
from typing import Any

import httpx

from cli.stack.description import StackDescription
from cli.stack.state_dir import StateDir


def holders_of_models(state_dir: Path) -> dict[str, list[str]]:
    """Ids of workers by model; {} when no stack is up in `state_dir` or its gateways do not answer.

    Raises StackError for a directory that cannot be used.
    """
    state = StateDir(state_dir)
    stack = StackDescription.read(state.stack_file) if state.is_locked() else None
    for url in stack.gateways if stack else ():
        try:
            answer: dict[str, Any] = httpx.get(f"{url}/health", timeout=2, trust_env=False).raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            continue
        return _by_model(answer.get("workers", []))
    return {}


def _by_model(workers: list[dict[str, Any]]) -> dict[str, list[str]]:
    holders: dict[str, list[str]] = {}
    for worker in workers:
        for model in worker.get("held_models", []):
            holders.setdefault(model, []).append(worker["id"])
    return holders
