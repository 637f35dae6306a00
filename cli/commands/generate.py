"""`drover generate`: the text that follows a text, without a conversation and without a chat template."""

from typing import Annotated

import typer

from cli.answering import Speaker
from cli.exit_status import INTERRUPTED
from cli.inputs import STANDARD_INPUT, piped_text, read_text
from cli.sampling import MaxTokensOption, Sampling, SeedOption, StopOption, TemperatureOption, TopPOption
from cli.server import Server, calls_server
from cli.suggestions import chat_models


@calls_server
def generate(
    server: Server,
    prompt: Annotated[str | None, typer.Argument(help="The text to go on from; '-' is standard input.")] = None,
    file: Annotated[str | None, typer.Option("--file", "-f", help="Take the prompt from a file.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="[default: the stack's first]", autocompletion=chat_models)
    ] = None,
    max_tokens: MaxTokensOption = None,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    seed: SeedOption = None,
    stop: StopOption = None,
    suffix: Annotated[str | None, typer.Option(help="What comes after the text, for models that fill a gap.")] = None,
    has_echo: Annotated[bool, typer.Option("--echo", help="Begin with the prompt.")] = False,
    choices: Annotated[int, typer.Option("-n", min=1, help="So many texts, with lines of --- between them.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object when it is over.")] = False,
) -> None:
    """Continue a text as it stands: a raw completion. Ctrl-C cancels it on the server."""
    body = {
        "model": server.chat_model(model),
        "prompt": _prompt(prompt, file),
        **Sampling(max_tokens, temperature, top_p, seed, stop or None).fields(),
        **({"suffix": suffix} if suffix is not None else {}),
        **({"echo": True} if has_echo else {}),
        **({"n": choices} if choices > 1 else {}),
    }
    speaker = Speaker(as_json=as_json, is_verbose=server.is_verbose)
    if not speaker.say(server.api.complete(body, speaker.status.show), "text", model=body["model"]):
        raise typer.Exit(INTERRUPTED)


def _prompt(prompt: str | None, file: str | None) -> str:
    """Exactly as it is given. Raises InputError, and BadParameter where there is none or more than one."""
    if prompt is not None and file is not None:
        raise typer.BadParameter("A prompt and --file exclude each other.")
    if prompt == STANDARD_INPUT or file is not None:
        text = read_text(file or STANDARD_INPUT)
    else:
        text = prompt if prompt is not None else piped_text()
    if not text:
        raise typer.BadParameter("There is nothing to go on from: give a prompt, -f FILE, or text through a pipe.")
    return text
