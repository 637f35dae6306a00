"""The text of a job, put together from its events."""

from session_service.outcomes import text_of
from shared.events import FinalEvent, TokensEvent


def test_the_text_ends_with_what_was_held_back() -> None:
    events: list[TokensEvent | FinalEvent] = [
        TokensEvent("j", 1, 1, [5, 6], ["Hel", "lo"]),
        TokensEvent("j", 3, 1, [7], [""]),
        FinalEvent("j", 3, 1, "stop", " \N{SLICE OF PIZZA}"),
    ]

    assert text_of(events) == "Hello \N{SLICE OF PIZZA}"


def test_a_character_that_postgres_cannot_hold_is_replaced() -> None:
    assert text_of([TokensEvent("j", 1, 1, [5], ["a\x00b"])]) == "a\N{REPLACEMENT CHARACTER}b"


def test_no_events_are_no_text() -> None:
    assert text_of([]) == ""
