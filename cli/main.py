"""The entry point: every command under its name, errors as one sentence and an exit status that says what kind."""

from importlib.metadata import version
from typing import Annotated

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]  # exported without saying so

from cli.commands import chat, completion, demo, doctor, down, embed, generate, models, sessions, status, up
from cli.exit_status import EPILOG

app = typer.Typer(
    name="drover",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # it takes "[default: …]" in a help text for markup, and frames every mistake with a box
    epilog=EPILOG,
)
completion_init()  # a line that was given to `drover completion` comes back here to be completed


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
app.command(epilog=EPILOG)(chat.chat)
app.command(epilog=EPILOG)(generate.generate)
app.command(epilog=EPILOG)(embed.embed)
app.add_typer(sessions.app, name="sessions")
app.command()(doctor.doctor)
app.add_typer(models.app, name="models")
app.command()(completion.completion)
app.command(hidden=True)(demo.demo)

if __name__ == "__main__":
    app()
