import pytest

from cli.answering import remarks
from cli.client.answer import Answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(finish_reasons={0: "stop"}), []),
        (Answer(finish_reasons={0: "length"}), ["cut: "]),
        (Answer(finish_reasons={0: "length"}, is_cancelled=True), ["cancelled"]),
        (Answer(finish_reasons={0: "stop"}, truncation={"dropped_messages": 3}), ["3 older messages"]),
        (Answer(truncation={"dropped_messages": 0}), []),
    ],
)
def test_only_what_one_would_not_think_is_remarked(answer: Answer, words: list[str]) -> None:
    said = remarks(answer)

    assert len(said) == len(words)
    assert all(line.startswith(word) for line, word in zip(said, words, strict=True))
