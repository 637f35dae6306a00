"""What the shell offers when TAB is pressed: names that the server knows, or nothing at all."""

from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from cli.client.api import Api
from cli.options import DEFAULT_STATE_DIR
from cli.settings import CliSettings
from cli.target import find_target
from cli.terminal import printable

TIMEOUT_S = 0.5
"""Who presses TAB waits no longer for a server."""
SESSIONS = 50

Suggestions = Iterator[tuple[str, str]]


def chat_models(ctx: typer.Context, incomplete: str) -> Suggestions:
    return _quietly(ctx, lambda api: _models(api, "chat"))


def embedding_models(ctx: typer.Context, incomplete: str) -> Suggestions:
    return _quietly(ctx, lambda api: _models(api, "embedding"))


def sessions(ctx: typer.Context, incomplete: str) -> Suggestions:
    """The newest sessions; their titles are shown where the shell can."""
    return _quietly(ctx, _newest_sessions)


def _models(api: Api, kind: str) -> Suggestions:
    for model in api.models():
        if model.get("kind") == kind:
            yield model["id"], printable(model.get("description") or "")


def _newest_sessions(api: Api) -> Suggestions:
    for session in api.sessions.newest(SESSIONS):
        yield session["id"], printable(session["title"] or "")


def _quietly(ctx: typer.Context, ask: Callable[[Api], Suggestions]) -> Suggestions:
    """Whatever is wrong, a half-typed line is no place to say it."""
    try:
        given = ctx.params
        state_dir = Path(given.get("state_dir") or DEFAULT_STATE_DIR)
        target = find_target(CliSettings.load(), state_dir, given.get("url"), given.get("api_key"))
        yield from ask(Api(target.urls, target.api_key, timeout_s=TIMEOUT_S))
    except Exception:
        return
