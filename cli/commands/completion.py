"""`drover completion`: the script that teaches a shell what TAB completes."""

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]  # exported without saying so

from cli.terminal import write


class Shell(StrEnum):
    """The shells that there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Your shell.")]) -> None:
    """Print a script for your shell: commands, options, models and sessions are completed by TAB.

    \b
    bash  echo 'eval "$(drover completion bash)"' >> ~/.bashrc
    zsh   echo 'eval "$(drover completion zsh)"' >> ~/.zshrc    (after compinit)
    fish  drover completion fish > ~/.config/fish/completions/drover.fish
    """
    script = get_completion_script(prog_name="drover", complete_var="_DROVER_COMPLETE", shell=shell.value)
    write(script + "\n")
