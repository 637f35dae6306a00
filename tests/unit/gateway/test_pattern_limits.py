from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pattern_limits import PatternRefusedError, check_pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "^$",
        "^abc$",
        r"^[a-z0-9]+(-[a-z0-9]+)*$",
        r"^\d{4}-\d{2}-\d{2}$",
        r"^(yes|no)$",
        r"^(?:a|b){1,10}$",
        r"^\+?[0-9]{7,15}$",
        r"^[^\]\\]{0,1000}$",
        r"^\u00e9\.$",
    ],
)
def test_an_ordinary_pattern_passes(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "abc",
        "^abc",
        "abc$",
        r"^abc\$",
        "^(a+)+$",
        "^(a*)*$",
        "^(a|b*)*$",
        "^(a?){50}$",
        "^(ab{100}){100}$",
        "^a{1001}$",
        "^a{2,5000}$",
        r"^(a)\1$",
        "^(?=a)b$",
        "^(?<name>a)$",
        r"^\bword$",
        r"^\p{L}$",
        "^a**$",
        "^a+?$",
        "^*a$",
        "^(a$",
        "^a)$",
        "^[a$",
        "^a^b$",
        "^a{,5}$",
        "^" + "(" * 9 + "a" + ")" * 9 + "$",
        "^" + "(" * 60_000 + "$",
        "^" + "a" * 600 + "$",
    ],
)
def test_a_pattern_that_could_blow_up_or_is_not_understood_is_refused(pattern: str) -> None:
    with pytest.raises(PatternRefusedError):
        check_pattern(pattern)


@given(st.text(alphabet="ab()[]{}|*+?\\^$-,:1d.", max_size=60))
def test_whatever_is_sent_there_is_an_answer(inner: str) -> None:
    with suppress(PatternRefusedError):
        check_pattern(f"^{inner}$")
