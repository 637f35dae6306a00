import pytest

from cli.errors import InputError
from cli.inputs import joined, lines_of


def test_parts_have_an_empty_line_between_them_and_empty_parts_go() -> None:
    assert joined(["What is this?", "", "  indented\n\n", "\n"]) == "What is this?\n\n  indented"


@pytest.mark.parametrize("text", ["a\nb", "a\nb\n", "a\r\nb\r\n"])
def test_each_line_is_a_text(text: str) -> None:
    assert lines_of(text, "f") == ["a", "b"]


def test_other_breaks_than_line_feeds_stay_within_a_text() -> None:
    assert lines_of("a\u2028b\x0cc\n", "f") == ["a\u2028b\x0cc"]


@pytest.mark.parametrize(("text", "number"), [("\na", 1), ("a\n \nb", 2), ("a\n\n", 2)])
def test_an_empty_line_is_named(text: str, number: int) -> None:
    with pytest.raises(InputError, match=f"Line {number} of notes is empty: `grep \\.` leaves"):
        lines_of(text, "notes")
