from hypothesis import given
from hypothesis import strategies as st

from gateway.prompt_bound import prompt_tokens_bound
from shared.bodies.messages import Message


@given(st.lists(st.text(max_size=50), min_size=1, max_size=5))
def test_the_bound_is_never_less_than_the_bytes_of_the_text(contents: list[str]) -> None:
    messages = [Message(role="user", content=content) for content in contents]

    assert prompt_tokens_bound(messages) >= sum(len(content.encode()) for content in contents) + 10 * len(contents)


def test_a_name_counts_too() -> None:
    plain = prompt_tokens_bound([Message(role="user", content="x")])

    assert prompt_tokens_bound([Message(role="user", content="x", name="Anna")]) == plain + 4
