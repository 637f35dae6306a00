import pytest

from cli.conversation import TITLE_CHARACTERS, text_of, title_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("\n  What   is\tthis?\nA file", "What is this?"),
        ("word " * 40, ("word " * 12)[: TITLE_CHARACTERS - 1].rstrip() + "…"),
    ],
)
def test_a_title_is_the_beginning_of_what_was_said(text: str, title: str) -> None:
    assert title_of(text) == title
    assert len(title) <= TITLE_CHARACTERS


@pytest.mark.parametrize(
    ("content", "text"),
    [("a", "a"), (None, ""), ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb")],
)
def test_a_stored_message_is_one_text(content: object, text: str) -> None:
    assert text_of({"content": content}) == text
