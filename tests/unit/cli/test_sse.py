from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.client.sse import Event, read_events

STREAM = (
    ": queue position 3\n: loading m 42 %\n\n"
    'id: 0\ndata: {"a":"\u2028\x85"}\n\n'
    ": ping\n\n"
    "id: 7\r\ndata: one\r\ndata:two\r\n\r\n"
    "event: error\ndata: {}\n\n"
)
EVENTS = [
    Event(comment="queue position 3"),
    Event(comment="loading m 42 %"),
    Event('{"a":"\u2028\x85"}', "0"),
    Event(comment="ping"),
    Event("one\ntwo", "7"),
    Event("{}"),
]


@given(st.lists(st.integers(0, len(STREAM.encode()))))
def test_events_do_not_depend_on_where_the_network_cuts(cuts: list[int]) -> None:
    whole = STREAM.encode()
    ends = [0, *sorted(cuts), len(whole)]

    pieces = [whole[begin:end] for begin, end in pairwise(ends)]

    assert list(read_events(pieces)) == EVENTS


@pytest.mark.parametrize("cut_off", ["data: half", "data: half\n", "id: 7\ndata: half\n"])
def test_an_event_that_was_cut_off_is_left_out(cut_off: str) -> None:
    assert list(read_events([b"data: whole\n\n", cut_off.encode()])) == [Event("whole")]


def test_a_comment_after_an_event_is_no_event() -> None:
    assert list(read_events([b"id: 1\ndata: x\n\n: ping\n\n"])) == [Event("x", "1"), Event(comment="ping")]
