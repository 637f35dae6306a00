"""`drover sessions`: the conversations that the server keeps."""

import json
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client.errors import ApiError
from cli.errors import InputError
from cli.exit_status import EPILOG, REFUSED
from cli.server import Server, calls_server
from cli.session_views import cost_table, markdown, sessions_table, transcript
from cli.suggestions import sessions as known_sessions
from cli.terminal import console, is_terminal, write, write_bytes

app = typer.Typer(
    no_args_is_help=True, help="List, read, rename, delete, fork and export conversations.", epilog=EPILOG
)

_ID = "An id, its beginning or end, or 'last'."
SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help=_ID, autocompletion=known_sessions)]
SessionsArgument = Annotated[list[str], typer.Argument(metavar="SESSION…", help=_ID, autocompletion=known_sessions)]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


class ExportFormat(StrEnum):
    """How a conversation is written out."""

    JSONL = "jsonl"
    MARKDOWN = "markdown"


@app.command("list")
@calls_server
def list_sessions(
    server: Server,
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, help="So many of the newest.")] = 20,
    lists_all: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the sessions, newest first."""
    found = server.api.sessions.newest(None if lists_all else limit)
    if as_json:
        _tell(list(found))
    else:
        console.print(sessions_table(found))


@app.command()
@calls_server
def show(server: Server, session: SessionArgument, as_json: JsonOption = False) -> None:
    """Show a session with its messages."""
    session_id = server.api.sessions.find(session)
    about = server.api.sessions.get(session_id)
    messages = list(server.api.sessions.messages(session_id))
    if as_json:
        _tell({**about, "messages": messages})
    else:
        write(transcript(about, messages) + "\n")


@app.command()
@calls_server
def rename(
    server: Server, session: SessionArgument, title: Annotated[str, typer.Argument()], as_json: JsonOption = False
) -> None:
    """Give a session another title."""
    renamed = server.api.sessions.rename(server.api.sessions.find(session), title)
    if as_json:
        _tell(renamed)
    else:
        console.print(f"{renamed['id']} is called {renamed['title']}")


@app.command()
@calls_server
def delete(
    server: Server,
    sessions: SessionsArgument,
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete sessions and their messages."""
    found = list(dict.fromkeys(server.api.sessions.find(words) for words in sessions))
    if not is_sure:
        _ask(f"Delete {', '.join(found)}?")
    for session_id in found:
        server.api.sessions.delete(session_id)
        if not as_json:
            console.print(f"{session_id} is deleted")
    if as_json:
        _tell([{"id": session_id, "deleted": True} for session_id in found])


@app.command()
@calls_server
def fork(
    server: Server,
    session: SessionArgument,
    at: Annotated[str | None, typer.Option(help="The last message of the fork.  [default: the session's last]")] = None,
    before: Annotated[str | None, typer.Option(help="The first message that the fork does not have.")] = None,
    title: Annotated[str | None, typer.Option(help="[default: the session's own]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a session with the history of another one up to a message, whose id `show --json` tells."""
    if at and before:
        raise typer.BadParameter("--at and --before exclude each other.")
    session_id = server.api.sessions.find(session)
    message_id = before or at or _last_message(server, session_id)
    made = server.api.sessions.fork(session_id, message_id, is_before=before is not None, title=title)
    if as_json:
        _tell(made)
    else:
        console.print(f"{made['id']} has {made['message_count']} messages; `drover chat -s {made['id']}` goes on there")


@app.command()
@calls_server
def export(
    server: Server,
    session: SessionArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file.  [default: standard output]")] = None,
    form: Annotated[
        ExportFormat, typer.Option("--format", help="jsonl: all that is known; markdown: for people.")
    ] = ExportFormat.JSONL,
) -> None:
    """Write a whole session out."""
    session_id = server.api.sessions.find(session)
    try:
        if form is ExportFormat.MARKDOWN:
            about, messages = server.api.sessions.get(session_id), server.api.sessions.messages(session_id)
            _write_out(output, [markdown(about, messages).encode()])
        else:
            _write_out(output, server.api.sessions.export(session_id))
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}.") from error


@app.command()
@calls_server
def cost(server: Server, sessions: SessionsArgument, as_json: JsonOption = False) -> None:
    """Say what sessions have used, by model: turns, and tokens of prompts, of those cached, and of answers."""
    found = [server.api.sessions.get(server.api.sessions.find(words)) for words in sessions]
    if as_json:
        _tell([{"id": session["id"], "title": session["title"], **session["usage"]} for session in found])
    else:
        console.print(cost_table(found))


def _tell(content: Any) -> None:
    write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def _write_out(output: Path | None, pieces: Iterable[bytes]) -> None:
    if output is None:
        for piece in pieces:
            write_bytes(piece)
        return
    with output.open("wb") as file:
        file.writelines(pieces)
    console.print(f"written to {output}")


def _last_message(server: Server, session_id: str) -> str:
    for message in server.api.sessions.messages(session_id, is_newest_first=True):
        return str(message["id"])
    raise ApiError("The session has no message yet, so there is nothing to fork.")


def _ask(question: str) -> None:
    """Ends the command unless the answer is yes."""
    if not is_terminal(sys.stdin):
        raise InputError("Nobody is there to ask: give --yes.")
    if not typer.confirm(question):
        raise typer.Exit(REFUSED)
