"""The entry point: every command under its name, errors as one sentence and exit status 1."""

import typer

from cli.commands import chat, demo, doctor, down, status, up

app = typer.Typer(
    name="drover",
    help="Serve llama.cpp models to many users at once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(up.up)
app.command()(down.down)
app.command()(status.status)
app.command()(chat.chat)
app.command()(doctor.doctor)
app.command(hidden=True)(demo.demo)

if __name__ == "__main__":
    app()
