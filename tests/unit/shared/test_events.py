import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UpstreamError
from shared.events import (
    FINISH_REASONS,
    ChoiceEnd,
    Event,
    FinalEvent,
    StoredEvent,
    TokenLogprob,
    TokensEvent,
    Usage,
    decode,
    joined,
)

tokens = st.lists(st.tuples(st.integers(0, 200_000), st.text()), min_size=1, max_size=12)
events = st.one_of(
    st.builds(
        lambda pairs, seq: TokensEvent("job", seq, 1, [i for i, _ in pairs], [t for _, t in pairs]),
        tokens,
        st.integers(1, 9999),
    ),
    st.builds(FinalEvent, st.just("job"), st.integers(0, 99), st.integers(1, 9), st.sampled_from(FINISH_REASONS)),
    st.builds(
        lambda seq, stop, ends: FinalEvent("job", seq, 1, "stop", others=tuple(ChoiceEnd(*e) for e in ends), stop=stop),
        st.integers(0, 99),
        st.none() | st.text(),
        st.lists(st.tuples(st.sampled_from(FINISH_REASONS), st.text())),
    ),
    st.builds(
        lambda seq, logprobs: TokensEvent(
            "job", seq, 1, [1] * len(logprobs), ["a"] * len(logprobs), [0, 1] * (len(logprobs) // 2), logprobs
        ),
        st.integers(1, 99),
        st.lists(st.lists(st.builds(TokenLogprob, st.integers(0, 9), st.floats(-99, 0), st.binary())), min_size=1),
    ),
    st.builds(StoredEvent, st.text()),
)


@given(events)
def test_an_event_survives_the_wire(event: Event) -> None:
    assert decode(event.encode()) == event


@given(tokens, st.integers(1, 50), st.data())
def test_the_rest_of_an_event_begins_after_the_given_seq(
    pairs: list[tuple[int, str]], first: int, data: st.DataObject
) -> None:
    event = TokensEvent("job", first, 1, [i for i, _ in pairs], [t for _, t in pairs])
    seq = data.draw(st.integers(0, event.last_seq - 1))

    rest = event.after(seq)

    assert rest.first_seq == max(first, seq + 1)
    assert rest.last_seq == event.last_seq
    assert rest.texts == event.texts[rest.first_seq - first :]
    assert rest.token_ids == event.token_ids[rest.first_seq - first :]


def test_unknown_fields_are_ignored_so_that_versions_can_run_side_by_side() -> None:
    event = FinalEvent("job", 2, 1, "stop", usage=Usage(3, 2, 0))

    assert decode(event.encode()[:-1] + b',"new":[1]}') == event


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b"{}", b'{"i":[1]}', b'{"r":"stop"}', b'{"j":"x","stor":1}'])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(UpstreamError):
        decode(data)


def test_joined_events_are_the_same_tokens_in_one_event() -> None:
    logprobs = [[TokenLogprob(token, -1.0, b"x")] for token in (7, 8, 9)]
    whole = TokensEvent("job", 4, 2, [7, 8, 9], ["a", "b", "c"], [0, 1, 0], logprobs)
    parts = [TokensEvent("job", 4, 2, [7], ["a"], [0], logprobs[:1]), whole.after(4)]

    assert joined(parts) == whole
    assert joined(parts[:1]) is parts[0]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12), st.integers(1, 50), st.integers(0, 70))
def test_runs_are_one_choices_each_and_end_where_they_are_cut(choices: list[int], seq: int, cut: int) -> None:
    count = len(choices)
    event = TokensEvent("job", seq, 1, [1] * count, ["a"] * count, choices)

    runs = list(event.runs(cut))

    assert [place for first, end in runs for place in range(first, end)] == list(range(count))
    assert all({event.choice_at(place) for place in range(*run)} == {event.choice_at(run[0])} for run in runs)
    assert not any(seq + first <= cut < seq + end - 1 for first, end in runs)


def test_an_event_of_one_choice_is_one_run_of_choice_0() -> None:
    event = TokensEvent("job", 7, 1, [1, 2, 3], ["a", "b", "c"])

    assert list(event.runs()) == [(0, 3)]
    assert event.choice_at(2) == 0
