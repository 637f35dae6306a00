"""`drover up`: the whole stack on this machine."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.options import DEFAULT_STATE_DIR, StateDirOption
from cli.settings import CliSettings
from cli.stack.assembly import StackOptions
from cli.stack.description import StackDescription
from cli.stack.detached import start_detached
from cli.stack.errors import StackError, StackRunsError
from cli.stack.launcher import Launcher
from cli.stack.state_dir import StateDir
from cli.terminal import console, errors_as_sentences, say


class Engine(StrEnum):
    """What generates the tokens."""

    LLAMA = "llama"
    SIMULATED = "simulated"


def up(
    gateways: Annotated[int, typer.Option(min=1, max=64, help="How many gateways.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many workers.")] = 1,
    engine: Annotated[Engine, typer.Option(help="llama.cpp, or a simulation of it for load tests.")] = Engine.LLAMA,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The first gateway's port.  [default: 8080, or the next free]")
    ] = None,
    state_dir: StateDirOption = DEFAULT_STATE_DIR,
    hung_after: Annotated[
        float, typer.Option(min=1, help="Start a service again whose /livez is silent or bad for so many seconds.")
    ] = 30,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the stack is up.")] = False,
) -> None:
    """Start the whole stack: Redis, Postgres (embedded unless REDIS_URL, DATABASE_URL name others) and all services."""
    options = StackOptions(state_dir, gateways, workers, engine.value, port, hung_after)
    with errors_as_sentences():
        try:
            _up_detached(options) if detach else Launcher(options, CliSettings.load(), say).run(show_how_to_use)
        except StackRunsError as error:
            running = StackDescription.read(StateDir(state_dir).stack_file)
            where = f" It serves at {running.url}." if running else ""
            raise StackError(f"{error}{where}") from error


def show_how_to_use(stack: StackDescription) -> None:
    """The address, the key and a curl line to copy."""
    body = f'{{"model":"{stack.model}","messages":[{{"role":"user","content":"What is the capital of France?"}}]}}'
    lines = [
        "",
        f"URL        {stack.url}",
        f"API key    {stack.api_key}",
        f"admin key  {stack.admin_key}",
        "",
        f"curl {stack.url}/v1/chat/completions -H 'Authorization: Bearer {stack.api_key}' \\",
        f"  -H 'Content-Type: application/json' -d '{body}'",
        "",
    ]
    console.print("\n".join(lines))


def _up_detached(options: StackOptions) -> None:
    try:
        show_how_to_use(start_detached(options, lambda words: console.print(words, end="")))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    console.print(f"  `drover down --state-dir {options.state_dir}` stops the stack.")
