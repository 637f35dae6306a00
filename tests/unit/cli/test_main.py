from importlib.metadata import version

from typer.testing import CliRunner

from cli.main import app


def test_the_version_is_the_installed_one() -> None:
    said = CliRunner().invoke(app, ["--version"])

    assert (said.exit_code, said.output) == (0, f"drover {version('drover')}\n")


def test_without_a_command_the_commands_are_listed() -> None:
    said = CliRunner().invoke(app, [])

    for command in ("up", "down", "status", "chat", "doctor"):
        assert command in said.output
