"""The text of a sequence: whole characters only, nothing of a stop string, nothing retracted."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.text import TextStream

LETTERS = st.text(alphabet="abé☃𝄞 \n", max_size=30)
STOPS = st.lists(st.text(alphabet="abé☃ ", min_size=1, max_size=4), max_size=3)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def until_first_stop(text: str, stops: list[str]) -> str:
    for end in range(len(text) + 1):
        begun = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if begun:
            return text[: min(begun)]
    return text


def shown(stream: TextStream, pieces: list[bytes]) -> str:
    return "".join([stream.push(piece) for piece in pieces]) + stream.finish()


@given(text=LETTERS, stops=STOPS, cuts=st.lists(st.integers(0, 200), max_size=12))
def test_any_split_shows_the_text_up_to_the_first_stop_string(text: str, stops: list[str], cuts: list[int]) -> None:
    pieces = split(text.encode(), cuts)

    result = shown(TextStream(stops), pieces)

    assert result == until_first_stop(text, stops)


@given(data=st.binary(max_size=30), cuts=st.lists(st.integers(0, 200), max_size=12))
def test_bytes_that_are_no_utf8_become_replacement_characters(data: bytes, cuts: list[int]) -> None:
    pieces = split(data, cuts)

    result = shown(TextStream(), pieces)

    assert result == data.decode(errors="replace")


@given(
    data=st.one_of(LETTERS.map(str.encode), st.binary(max_size=30)),
    stops=STOPS,
    cuts=st.lists(st.integers(0, 200), max_size=12),
    life=st.integers(0, 13),
)
def test_a_second_life_goes_on_as_the_first_would_have(
    data: bytes, stops: list[str], cuts: list[int], life: int
) -> None:
    pieces = split(data, cuts)
    first = TextStream(stops)
    emitted = "".join([first.push(piece) for piece in pieces[:life]])

    second = TextStream.resumed(stops, pieces[:life], emitted)
    rest = shown(second, pieces[life:])

    assert emitted + rest == until_first_stop(data.decode(errors="replace"), stops)
    assert second.is_stopped >= first.is_stopped


@given(text=LETTERS, stops=STOPS)
def test_nothing_more_than_a_possible_stop_string_is_held(text: str, stops: list[str]) -> None:
    stream = TextStream(stops)

    emitted = "".join([stream.push(char.encode()) for char in text])

    held = text[len(emitted) :]
    assert stream.is_stopped or held == "" or any(stop.startswith(held) for stop in stops)


def test_a_stop_string_over_several_tokens_is_never_shown() -> None:
    stream = TextStream(["</end>"])

    parts = [stream.push(piece) for piece in [b"Hi <", b"/en", b"d> there"]]

    assert parts == ["Hi ", "", ""]
    assert stream.stop == "</end>"
    assert stream.finish() == ""


@pytest.mark.parametrize("stops", [[], ["x"]])
def test_half_a_character_waits_for_its_other_half(stops: list[str]) -> None:
    stream = TextStream(stops)

    assert stream.push("☃".encode()[:2]) == ""
    assert stream.push("☃".encode()[2:]) == "☃"


def test_a_stop_string_in_what_an_earlier_life_logged_ends_the_text_at_once() -> None:
    stream = TextStream.resumed(["STOP"], [b"ab ST", b"OP"], emitted="ab ")

    assert stream.stop == "STOP"
    assert stream.finish() == ""
