"""Of gateway/follow.py: what a stream drops, and what it notices."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.follow import _Order
from shared.events import FinalEvent, StoredEvent, TokensEvent


def tokens(first: int, last: int) -> TokensEvent:
    seqs = list(range(first, last + 1))
    return TokensEvent("j", first, 1, seqs, [str(seq) for seq in seqs])


def ids(events: list[TokensEvent]) -> list[int]:
    return [token for event in events for token in event.token_ids]


def test_events_that_were_seen_are_dropped_and_half_seen_ones_are_cut() -> None:
    order = _Order(after_seq=3)

    fresh = order.accept([tokens(1, 2), tokens(3, 5), tokens(4, 5), tokens(6, 6)])

    assert ids(fresh) == [4, 5, 6]
    assert not order.has_gap


def test_nothing_after_a_gap_is_given_out() -> None:
    order = _Order(after_seq=0)

    fresh = order.accept([tokens(1, 1), tokens(3, 3), tokens(4, 4), FinalEvent("j", 4, 1, "stop")])

    assert ids(fresh) == [1]
    assert order.has_gap
    assert order.final is None


def test_a_final_event_whose_tokens_are_missing_is_a_gap() -> None:
    order = _Order(after_seq=0)

    order.accept([tokens(1, 1), FinalEvent("j", 2, 1, "stop")])

    assert order.has_gap
    assert order.final is None


def test_the_stored_word_is_heard_behind_a_gap() -> None:
    order = _Order(after_seq=0)

    order.accept([tokens(2, 2), StoredEvent("j")])

    assert order.is_stored


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), max_size=30), st.integers(0, 5))
def test_whatever_comes_in_whatever_order_tokens_leave_once_and_in_order(
    arrived: list[tuple[int, int]], after_seq: int
) -> None:
    order = _Order(after_seq)

    given_out = [token for first, more in arrived for token in ids(order.accept([tokens(first, first + more)]))]

    assert given_out == list(range(after_seq + 1, after_seq + 1 + len(given_out)))
