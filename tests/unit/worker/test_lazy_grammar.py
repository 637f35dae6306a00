"""A grammar that waits for its trigger: what is free before it, what is refused at it."""

import re
from collections.abc import Sequence

import numpy as np
import pytest

from shared.errors import InferenceError
from worker.engine.lazy_grammar import LazyGrammar
from worker.engine.llama_grammar import Allowed
from worker.grammar.answer_rule import Trigger

PIECES = [b"", b"a", b"<", b"<c", b"c", b">", b">\n", b"<c>", b"x<c>", b"{", b'{"n"', b":"]
TOKEN = {piece: token for token, piece in enumerate(PIECES)}
OPENER = Trigger(re.compile(b"<c>"), 3)
WHOLE = Trigger(re.compile(rb'\A\{"n":'), 8, is_whole=True)


class Recorded:
    """A grammar that takes everything and remembers."""

    def __init__(self, missed: Sequence[int]):
        self.missed = list(missed)
        self.taken: list[int] = []
        self.is_closed = False

    def offer(self, token: int) -> Allowed | None:
        self.taken.append(token)
        return None

    def take(self, token: int) -> None:
        self.taken.append(token)

    def close(self) -> None:
        self.is_closed = True


class Begun:
    """Counts the grammars that were begun."""

    def __init__(self) -> None:
        self.grammars: list[Recorded] = []

    def __call__(self, missed: Sequence[int]) -> Recorded:
        self.grammars.append(Recorded(missed))
        return self.grammars[-1]


def lazy(begun: Begun | None, *said: bytes, trigger: Trigger = OPENER) -> LazyGrammar:
    return LazyGrammar(trigger, begun, PIECES, [TOKEN[piece] for piece in said])


def offered(grammar: LazyGrammar, *pieces: bytes) -> list[bytes] | None:
    """What would fit instead of the last of `pieces`; None if all fit."""
    for piece in pieces:
        allowed = grammar.offer(TOKEN[piece])
        if allowed is not None:
            return [PIECES[token] for token in np.flatnonzero(allowed)]
    return None


def test_an_answer_without_the_trigger_is_free() -> None:
    begun = Begun()

    assert offered(lazy(begun), b"a", b"<", b"a", b"c", b">", b"") is None
    assert begun.grammars == []


@pytest.mark.parametrize("opener", [(b"<c>",), (b"x<c>",), (b"<", b"c", b">"), (b"a", b"<c", b">")])
def test_the_grammar_begins_behind_the_trigger(opener: tuple[bytes, ...]) -> None:
    begun = Begun()
    grammar = lazy(begun)

    assert offered(grammar, *opener, b"{", b"a") is None

    (only,) = begun.grammars
    assert only.missed == []
    assert only.taken == [TOKEN[b"{"], TOKEN[b"a"]]


def test_a_token_that_goes_on_behind_the_trigger_must_stop_there() -> None:
    begun = Begun()
    grammar = lazy(begun)

    assert offered(grammar, b"<c", b">\n") == [b">"]
    grammar.take(TOKEN[b">"])

    assert len(begun.grammars) == 1


def test_a_later_life_finds_the_grammar_where_it_was() -> None:
    begun = Begun()
    grammar = lazy(begun, b"a", b"<c", b">", b"{", b"a")
    grammar.take(TOKEN[b":"])

    (only,) = begun.grammars
    assert only.missed == [TOKEN[b"{"], TOKEN[b"a"]]
    assert only.taken == [TOKEN[b":"]]


@pytest.mark.parametrize("said", [(), (b'{"n"',)])
def test_a_rule_for_the_whole_answer_is_told_all_of_it(said: tuple[bytes, ...]) -> None:
    begun = Begun()
    grammar = lazy(begun, *said, trigger=WHOLE)

    assert offered(grammar, *[b'{"n"', b":"][len(said) :]) is None

    assert [only.missed for only in begun.grammars] == [[TOKEN[b'{"n"'], TOKEN[b":"]]]


def test_a_rule_for_the_whole_answer_looks_at_its_beginning_only() -> None:
    begun = Begun()

    assert offered(lazy(begun, trigger=WHOLE), *[b"a"] * 20, b'{"n"', b":") is None
    assert begun.grammars == []


def test_where_nothing_may_follow_the_trigger_does_not_come_about() -> None:
    grammar = lazy(None, b"<c")

    fitting = offered(grammar, b">")

    assert fitting is not None
    assert set(PIECES) - set(fitting) == {b">", b">\n", b"<c>", b"x<c>"}
    assert offered(grammar, b"a", b"c") is None


def test_a_token_that_was_not_allowed_is_not_taken() -> None:
    with pytest.raises(InferenceError):
        lazy(None, b"<c").take(TOKEN[b">"])


def test_closing_closes_the_grammar() -> None:
    begun = Begun()
    grammar = lazy(begun, b"<c>")

    grammar.close()
    lazy(begun).close()

    assert begun.grammars[0].is_closed
