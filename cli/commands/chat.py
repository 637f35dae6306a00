"""`drover chat`: a conversation in the terminal, or one message a line from a pipe."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TextIO

import typer

from cli.api import Api, ApiError, Reply
from cli.options import DEFAULT_STATE_DIR, StateDirOption
from cli.settings import CliSettings
from cli.target import find_target
from cli.terminal import console, errors, errors_as_sentences, fail, write

_HELP = "Ctrl-C stops a reply, /new begins a new session, /quit or Ctrl-D ends."


def chat(
    session: Annotated[str | None, typer.Option(help="Go on with this session instead of a new one.")] = None,
    system: Annotated[str | None, typer.Option(help="The new session's system message.")] = None,
    model: Annotated[str | None, typer.Option(help="The model.  [default: the stack's first]")] = None,
    temperature: Annotated[float | None, typer.Option(help="0: always the likeliest token.")] = None,
    url: Annotated[str | None, typer.Option(help="The gateway.  [default: DROVER_URL, or the stack's]")] = None,
    api_key: Annotated[str | None, typer.Option(help="The key.  [default: DROVER_API_KEY, or the stack's]")] = None,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
) -> None:
    """Talk to a model; the server keeps the conversation."""
    with errors_as_sentences():
        target = find_target(CliSettings.load(), state_dir, url, api_key)
    try:
        api = Api(target.urls, target.api_key)
        if session:
            api.session(session)
        chosen = model or target.model or next(iter(api.models()), "")
        conversation = _Conversation(api, chosen, session or api.create_session(system), system, temperature)
    except ApiError as error:
        raise fail(str(error)) from error
    is_interactive = _is_terminal(sys.stdin) and _is_terminal(sys.stdout)
    if is_interactive:
        console.print(f"{chosen}, session {conversation.session_id}. {_HELP}", style="dim")
    messages = _typed(state_dir) if is_interactive else _piped()
    if not conversation.hold(messages, is_interactive):
        raise typer.Exit(1)


@dataclass
class _Conversation:
    api: Api
    model: str
    session_id: str
    system: str | None
    temperature: float | None

    def hold(self, messages: Iterator[str], is_interactive: bool) -> bool:
        """Answer every message; from a pipe, the first error ends it. False after such an error."""
        for message in messages:
            try:
                if message == "/new":
                    self.session_id = self.api.create_session(self.system)
                    console.print(f"session {self.session_id}", style="dim")
                    continue
                if not self._answer(message) and not is_interactive:
                    return False
            except ApiError as error:
                errors.print(str(error), style="red")
                if not is_interactive:
                    return False
        return True

    def _answer(self, message: str) -> bool:
        """Print the reply as it comes; Ctrl-C cancels it, the session goes on. False when it was cancelled."""
        reply = Reply()
        try:
            for piece in self.api.stream(reply, self.model, self.session_id, message, self.temperature):
                write(piece)
        except KeyboardInterrupt:
            self.api.cancel(reply)
            console.print(" [cancelled]", style="dim")
            return False
        console.print()
        return True


def _typed(state_dir: Path) -> Iterator[str]:
    """What the person types, until /quit or Ctrl-D."""
    from prompt_toolkit import PromptSession  # half a second to load, and only a terminal needs it
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory

    history: History = FileHistory(str(state_dir / "chat_history")) if state_dir.is_dir() else InMemoryHistory()
    prompt: PromptSession[str] = PromptSession(history=history)
    while True:
        try:
            message = prompt.prompt("> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if message == "/quit":
            return
        if message:
            yield message


def _is_terminal(stream: TextIO | None) -> bool:
    """Python has None for a stream that was closed before it started."""
    return stream is not None and stream.isatty()


def _piped() -> Iterator[str]:
    """The lines of standard input that hold something."""
    for line in sys.stdin or ():
        if message := line.strip():
            yield message
