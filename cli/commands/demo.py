"""`make demo`: a stack of its own, a conversation of three turns through the HTTP API, and down again."""

import shutil
import tempfile
import threading
from pathlib import Path

from cli.client.api import Api
from cli.client.errors import ApiError
from cli.conversation import Conversation
from cli.sampling import Sampling
from cli.settings import CliSettings
from cli.stack.assembly import StackOptions
from cli.stack.description import StackDescription
from cli.stack.launcher import Launcher
from cli.stack.ports import Ports
from cli.terminal import console, errors_as_sentences, fail, say, write

_TURNS = ("Hello, my name is Anna.", "What is the capital of France?", "What is my name?")
_RECALLED = "Anna"


def demo() -> None:
    """Show the whole platform at work, and leave nothing behind."""
    state_dir = Path(tempfile.mkdtemp(prefix="drover-demo-"))
    conversation = _Conversation()
    try:
        with errors_as_sentences():
            console.print("Starting a stack of its own for the demo:")
            options = StackOptions(state_dir, port=Ports().any())
            # Its own servers even where REDIS_URL and DATABASE_URL are set: a demo writes into nobody's data.
            settings = CliSettings.load().model_copy(update={"redis_url": "", "database_url": ""})
            launcher = Launcher(options, settings, say)
            launcher.run(when_ready=lambda stack: conversation.begin(stack, launcher.request_stop))
    finally:
        shutil.rmtree(state_dir, ignore_errors=True)
    if not conversation.is_held:
        raise fail(conversation.problem or "The demo was interrupted.")
    _say_where_to_go()


class _Conversation:
    """Three turns in one session, in a thread: the main thread looks after the processes meanwhile."""

    def __init__(self) -> None:
        self.is_held = False
        self.problem = ""

    def begin(self, stack: StackDescription, when_over: threading.Event) -> None:
        threading.Thread(target=self._hold, args=(stack, when_over), daemon=True).start()

    def _hold(self, stack: StackDescription, when_over: threading.Event) -> None:
        try:
            api = Api(stack.gateways, stack.api_key)
            talk = Conversation(api, stack.model, sampling=Sampling(temperature=0))
            console.print(f"\nA conversation with {stack.model} through {stack.url}/v1/chat/completions:\n")
            answers = [_turn(talk, message) for message in _TURNS]
            if _RECALLED not in answers[-1]:
                raise ApiError("The model did not recall the name: something is wrong with models/drover-tiny.gguf.")
            self.is_held = True
        except ApiError as error:
            self.problem = str(error)
        finally:
            when_over.set()


def _turn(talk: Conversation, message: str) -> str:
    """Print the message and the reply as it comes, with its figures; answers the reply."""
    console.print(f"you    {message}", style="bold")
    write(f"{'model':7}")
    generation = talk.say(message, lambda said: None)
    for piece in generation.pieces():
        write(piece.text)
    answer = generation.answer
    first_ms, last_ms = answer.seconds_to_first_text * 1000, answer.seconds_to_last_text * 1000
    tokens = answer.usage.get("completion_tokens", 0)
    console.print(
        f"\n       (first text after {first_ms:.0f} ms, all {tokens} tokens after {last_ms:.0f} ms)\n", style="dim"
    )
    return answer.text


def _say_where_to_go() -> None:
    console.print("The demo is over, and everything it started has ended. Where to go next:")
    write("  make run                a stack that stays, with its URL, a key and a curl line\n")
    write("  .venv/bin/drover chat   talk to it; `--help` shows the other commands\n")
    write("  make test               every test, against real servers\n")
    write("  README.md, docs/        how it works, how to call it, how to change it\n")
