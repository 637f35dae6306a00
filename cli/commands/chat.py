"""`drover chat`: a conversation on the terminal, or one message from the command line, a file or a pipe."""

import sys
from typing import Annotated

import typer

from cli.answering import Speaker
from cli.client.errors import ApiError
from cli.conversation import Conversation
from cli.exit_status import INTERRUPTED
from cli.inputs import joined, piped_text, read_text
from cli.sampling import MaxTokensOption, Sampling, SeedOption, StopOption, TemperatureOption, TopPOption
from cli.server import Server, calls_server
from cli.settings import CliSettings
from cli.suggestions import chat_models, sessions
from cli.terminal import is_terminal


@calls_server
def chat(
    server: Server,
    message: Annotated[list[str] | None, typer.Argument(help="What to say; without it you are asked.")] = None,
    files: Annotated[
        list[str] | None, typer.Option("--file", "-f", help="A text to send along; '-' is standard input.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="[default: the stack's first]", autocompletion=chat_models)
    ] = None,
    session: Annotated[
        str | None,
        typer.Option("--session", "-s", help="Go on there: an id, a part of it, or 'last'.", autocompletion=sessions),
    ] = None,
    is_new: Annotated[bool, typer.Option("--new", help="A new session, whatever DROVER_SESSION says.")] = False,
    system: Annotated[str | None, typer.Option(help="The session's system message, from now on.")] = None,
    by_lines: Annotated[bool, typer.Option("--lines", help="Each line of standard input is a message.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each answer.")] = False,
    max_tokens: MaxTokensOption = None,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    seed: SeedOption = None,
    stop: StopOption = None,
) -> None:
    """Talk to a model; the server keeps the conversation."""
    if is_new and session:
        raise typer.BadParameter("--new and --session exclude each other.")
    conversation = Conversation(
        server.api,
        server.chat_model(model),
        system=system,
        sampling=Sampling(max_tokens, temperature, top_p, seed, stop or None),
    )
    speaker = Speaker(as_json=as_json, is_verbose=server.is_verbose)
    asks = not (message or files or by_lines) and is_terminal(sys.stdin) and is_terminal(sys.stdout)
    if asks and as_json:
        raise typer.BadParameter("--json needs a message: on the command line, with -f, or through a pipe.")
    messages = [] if asks else _messages(message or [], files or [], by_lines=by_lines)
    if words := "" if is_new else session or server.settings.session:
        conversation.session_id = server.api.sessions.find(words)
    if asks:
        _ask(conversation, speaker, server.settings)
    for text in messages:
        _answer(conversation, speaker, text)


def _messages(message: list[str], files: list[str], *, by_lines: bool) -> list[str]:
    """Raises InputError, and BadParameter where there is nothing to say."""
    given = [" ".join(message), *map(read_text, files)]
    piped = "" if "-" in files else piped_text()
    texts = [joined(given), *piped.splitlines()] if by_lines else [joined([*given, piped])]
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise typer.BadParameter("There is nothing to say: give a message, -f FILE, or text through a pipe.")
    return texts


def _answer(conversation: Conversation, speaker: Speaker, text: str) -> None:
    """Raises ApiError; Ctrl-C ends the command when the answer is cancelled on the server."""
    try:
        generation = conversation.say(text, speaker.status.show)
        is_whole = speaker.say(generation, "content", session_id=conversation.session_id, model=conversation.model)
    except ApiError:
        conversation.take_back()
        raise
    if not is_whole:
        raise typer.Exit(INTERRUPTED)


def _ask(conversation: Conversation, speaker: Speaker, settings: CliSettings) -> None:
    from cli.chat_room.history_file import history_file
    from cli.chat_room.line_editor import LineEditor  # half a second to load, and only a terminal needs it
    from cli.chat_room.room import Room
    from cli.chat_room.slash_commands import COMMANDS

    Room(conversation, speaker, LineEditor(history_file(settings), list(COMMANDS))).hold()
