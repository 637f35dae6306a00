"""The entry point: every command under its name, errors as one sentence and exit status 1."""

from importlib.metadata import version
from typing import Annotated

import typer

from cli.commands import chat, demo, doctor, down, models, status, up

app = typer.Typer(
    name="drover",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"drover {version('drover')}")
        raise typer.Exit


@app.callback()
def drover(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and exit.")
    ] = False,
) -> None:
    """Serve llama.cpp models to many users at once."""


app.command()(up.up)
app.command()(down.down)
app.command()(status.status)
app.command()(chat.chat)
app.command()(doctor.doctor)
app.add_typer(models.app, name="models")
app.command(hidden=True)(demo.demo)

if __name__ == "__main__":
    app()
