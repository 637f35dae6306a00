from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.exit_status import MEANINGS
from cli.main import app

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def test_the_page_has_every_exit_status_with_its_meaning() -> None:
    page = PAGE.read_text(encoding="utf-8")

    for status, words in MEANINGS.items():
        assert f"| {status} | {words} |" in page.replace("\\|", "|")


@pytest.mark.parametrize("command", [[], ["chat"], ["generate"], ["embed"], ["sessions"], ["models"]])
def test_help_lists_the_exit_statuses(command: list[str]) -> None:
    said = CliRunner().invoke(app, [*command, "--help"]).output

    for status, words in MEANINGS.items():
        assert f"\n    {status:<4} {words}" in said


def test_help_shows_what_is_taken_where_nothing_is_given() -> None:
    said = " ".join(CliRunner().invoke(app, ["chat", "--help"]).output.split())

    assert "[default: the stack's first]" in said
