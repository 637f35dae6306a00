"""The entry point: every command under its name, each loaded when it is called."""

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]  # exported without saying so
from typer.core import TyperGroup

from cli.exit_status import EPILOG

COMMANDS = (
    "up",
    "down",
    "status",
    "chat",
    "generate",
    "embed",
    "sessions",
    "models",
    "doctor",
    "bench",
    "completion",
    "demo",
)
"""In the order of --help. Each is a module of cli/commands, with a function of its name or an `app` of commands."""

HIDDEN = {"demo"}


class _Commands(TyperGroup):
    """Who presses TAB or calls one command does not wait for what the others import.

    typer keeps the types of a context and of a command to itself.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"cli.commands.{cmd_name}")
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.callback()(drover)
        if hasattr(module, "app"):
            single.add_typer(module.app, name=cmd_name, epilog=EPILOG)
        else:
            single.command(cmd_name, hidden=cmd_name in HIDDEN, epilog=EPILOG)(getattr(module, cmd_name))
        return typer.main.get_group(single).commands[cmd_name]


app = typer.Typer(
    name="drover",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it takes "[default: …]" in a help text for markup, and frames every mistake with a box
    epilog=EPILOG,
)
completion_init()  # a line that was given to `drover completion` comes back here to be completed


def _say_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version  # slow to load, and only this needs it

        typer.echo(f"drover {version('drover')}")
        raise typer.Exit


@app.callback()
def drover(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and exit.")
    ] = False,
) -> None:
    """Serve llama.cpp models to many users at once."""


if __name__ == "__main__":
    app()
