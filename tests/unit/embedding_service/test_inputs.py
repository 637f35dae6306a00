from typing import Any

import pytest

from embedding_service.inputs import token_lists
from shared.bodies.embeddings import EmbeddingsBody
from shared.errors import BadRequestError, ContextLengthExceededError


class Letters:
    """A vocabulary whose tokens are the letters of a text; spaces are none."""

    max_input_tokens = 5
    vocabulary_size = 128

    def tokenize(self, text: str) -> list[int]:
        return [ord(letter) for letter in text if letter != " "]


def lists(given: Any) -> list[list[int]]:
    return token_lists(EmbeddingsBody(model="m", input=given), Letters())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("ab", [[97, 98]]),
        (["a", "b c"], [[97], [98, 99]]),
        ([1, 2], [[1, 2]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
        (["1", "2"], [[49], [50]]),
    ],
)
def test_each_form_of_input_becomes_token_lists(given: Any, expected: list[list[int]]) -> None:
    assert lists(given) == expected


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("", "input"),
        (["a", ""], "input.1"),
        ("  ", "input"),
        ([1, 128], "input"),
        ([[1], [-1]], "input.1"),
        ("é", "input"),
    ],
)
def test_an_input_without_usable_tokens_is_named(given: Any, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        lists(given)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("given", "param"), [("abcdef", "input"), (["a", "b", "abcdef"], "input.2"), ([1] * 6, "input")]
)
def test_an_input_that_is_too_long_is_named_with_both_numbers(given: Any, param: str) -> None:
    with pytest.raises(ContextLengthExceededError, match="6 tokens, the model takes 5") as caught:
        lists(given)

    assert caught.value.param == param


def test_an_input_of_just_the_limit_is_taken() -> None:
    assert len(lists("abcde")[0]) == 5
