"""What every command that asks a server has in common: its options, the way to the server, errors as sentences."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from cli.client.api import Api
from cli.options import DEFAULT_STATE_DIR, StateDirOption
from cli.settings import CliSettings
from cli.target import Target, find_target
from cli.terminal import errors, errors_as_sentences

P = ParamSpec("P")

UrlOption = Annotated[
    str | None,
    typer.Option(help="The gateway, or several with commas between them.  [default: DROVER_URL, or the stack's]"),
]
KeyOption = Annotated[str | None, typer.Option(help="The key.  [default: DROVER_API_KEY, or the stack's]")]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say on standard error what was asked and how it went.")
]


class Server:
    """The server that a command talks to."""

    def __init__(self, settings: CliSettings, target: Target, *, is_verbose: bool = False):
        """Raises ApiError for a key that no header can hold."""
        self.settings = settings
        self.api = Api(target.urls, target.api_key)
        self.is_verbose = is_verbose
        self._target = target

    def chat_model(self, wanted: str | None) -> str:
        """The model that was asked for, else the stack's, else the server's first. Raises ApiError."""
        return wanted or self._target.model or self.api.first_model("chat")

    def embedding_model(self, wanted: str | None) -> str:
        """The same of embedding models."""
        return wanted or self._target.embedding_model or self.api.first_model("embedding")

    def detail(self, words: str) -> None:
        """A line for who wants to know more."""
        if self.is_verbose:
            errors.print(words, style="dim")


def calls_server(command: Callable[Concatenate[Server, P], None]) -> Callable[..., None]:
    """A command without its first parameter, and with the options that say which server that is."""

    @wraps(command)
    def run(*args: Any, url: str | None, api_key: str | None, state_dir: Path, verbose: bool, **kwargs: Any) -> None:
        with errors_as_sentences(is_verbose=verbose):
            settings = CliSettings.load()
            target = find_target(settings, state_dir, url, api_key)
            server = Server(settings, target, is_verbose=verbose)
            server.detail(f"asking {', '.join(target.urls)}")
            command(server, *args, **kwargs)

    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    run.__signature__ = inspect.Signature([*own, *_SHARED])  # type: ignore[attr-defined]  # typer reads it
    return run


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_SHARED = (
    _option("url", UrlOption, None),
    _option("api_key", KeyOption, None),
    _option("state_dir", StateDirOption, DEFAULT_STATE_DIR),
    _option("verbose", VerboseOption, False),
)
