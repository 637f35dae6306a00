"""What can be typed besides messages: /help, /new, /switch and the others."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.client.errors import ApiError
from cli.conversation import Conversation
from cli.errors import InputError
from cli.session_views import sessions_table, transcript
from cli.terminal import console

SHOWN_SESSIONS = 20
SHOWN_MESSAGES = 4


class Leave(Exception):
    """The person wants to go."""


@dataclass(frozen=True)
class SayAgain:
    """The person's last message in other words, in a fork; a draft is theirs to change first."""

    text: str
    is_draft: bool = False


@dataclass(frozen=True)
class Command:
    """`run` gets the conversation and what was typed after the name."""

    usage: str
    help: str
    run: Callable[[Conversation, str], SayAgain | None]


def carry_out(typed: str, conversation: Conversation) -> SayAgain | None:
    """Do what a line that begins with a slash says. Raises ApiError, InputError, Leave."""
    name, _, rest = typed.partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        raise InputError(f"There is no {name}; /help lists the commands, and //… sends a text that begins with /.")
    return command.run(conversation, rest.strip())


def _help(_: Conversation, rest: str) -> None:
    width = max(len(command.usage) for command in COMMANDS.values())
    for command in COMMANDS.values():
        console.print(f"{command.usage:{width}}  {command.help}")
    console.print(
        "\nAlt-Enter, or Enter after a backslash, begins another line; Ctrl-X Ctrl-E opens $EDITOR.\n"
        "Ctrl-C stops an answer and keeps what came; Ctrl-D ends.",
        style="dim",
    )


def _new(conversation: Conversation, system: str) -> None:
    conversation.begin_anew()
    if system:
        conversation.instruct(system)
    console.print("a new session begins with your next message", style="dim")


def _sessions(conversation: Conversation, rest: str) -> None:
    console.print(sessions_table(conversation.api.sessions.newest(SHOWN_SESSIONS), here=conversation.session_id))


def _switch(conversation: Conversation, words: str) -> None:
    session = conversation.switch_to(words)
    messages = list(conversation.api.sessions.messages(conversation.session_id))
    console.print(transcript(session, messages[-SHOWN_MESSAGES:], left_out=max(0, len(messages) - SHOWN_MESSAGES)))


def _system(conversation: Conversation, text: str) -> None:
    if text:
        conversation.instruct(text)
        console.print("the session has this system message from your next message on", style="dim")
    else:
        console.print(conversation.system or "No system message was given here; /system TEXT gives one.")


def _model(conversation: Conversation, name: str) -> None:
    names = [model["id"] for model in conversation.api.models() if model.get("kind") == "chat"]
    if name and name not in names:
        raise ApiError(f"The server has no chat model '{name}': /model lists them.")
    conversation.model = name or conversation.model
    for each in [name] if name else names:
        console.print(f"{'*' if each == conversation.model else ' '} {each}")


def _retry(conversation: Conversation, text: str) -> SayAgain:
    return SayAgain(text or conversation.last_words()[1])


def _edit(conversation: Conversation, rest: str) -> SayAgain:
    return SayAgain(conversation.last_words()[1], is_draft=True)


def _export(conversation: Conversation, name: str) -> None:
    if not conversation.session_id:
        raise ApiError("Nothing has been said in this session yet.")
    path = Path(name or f"{conversation.session_id}.jsonl").expanduser()
    try:
        with path.open("xb") as file:
            file.writelines(conversation.api.sessions.export(conversation.session_id))
    except FileExistsError as error:
        raise InputError(f"{path} is there already: /export FILE takes another name.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
    console.print(f"written to {path}", style="dim")


def _quit(conversation: Conversation, rest: str) -> None:
    raise Leave


COMMANDS = {
    "/help": Command("/help", "what can be typed here", _help),
    "/new": Command("/new [SYSTEM]", "begin a new session, with another system message if you like", _new),
    "/sessions": Command("/sessions", "the newest sessions", _sessions),
    "/switch": Command("/switch ID", "go on with another session: its id, a part of it, or 'last'", _switch),
    "/system": Command("/system [TEXT]", "give this session another system message, or show it", _system),
    "/model": Command("/model [NAME]", "answer with another model from now on, or list them", _model),
    "/retry": Command("/retry [TEXT]", "say your last message again, or TEXT in its place, in a fork", _retry),
    "/edit": Command("/edit", "change your last message and say it in a fork", _edit),
    "/export": Command("/export [FILE]", "write the session to a file, as JSON lines", _export),
    "/quit": Command("/quit", "end", _quit),
}
