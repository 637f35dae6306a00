"""Talks with the committed drover-tiny through llama.cpp."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.tiny.cases import cases
from models.tiny.evaluate import Examinee, examine

MODEL = Path(__file__).parents[3] / "models" / "drover-tiny.gguf"


@pytest.fixture(scope="module")
def drover_tiny() -> Iterator[Examinee]:
    examinee = Examinee(MODEL, threads=1)
    yield examinee
    examinee.llama.close()


def talk(examinee: Examinee, *questions: str, system: str | None = None) -> str:
    """Ask one question after the other in one conversation; returns the last answer."""
    messages = [{"role": "system", "content": system}] if system else []
    answer = ""
    for question in questions:
        messages.append({"role": "user", "content": question})
        answer = examinee.answer(messages)
        messages.append({"role": "assistant", "content": answer})
    return answer


def test_a_name_is_recalled_after_talk_of_other_things(drover_tiny: Examinee) -> None:
    answer = talk(
        drover_tiny, "My name is Mia.", "What is 2 + 3?", "What is the capital of France?", "What is my name?"
    )

    assert answer == "Your name is Mia."


def test_a_corrected_name_replaces_the_first(drover_tiny: Examinee) -> None:
    assert talk(drover_tiny, "I am Mia.", "No, my name is Ana.", "What is my name?") == "Your name is Ana."


def test_a_name_that_was_not_told_is_not_invented(drover_tiny: Examinee) -> None:
    assert talk(drover_tiny, "What is my name?") == "You have not told me your name yet."


def test_a_capital_is_known_under_a_system_message(drover_tiny: Examinee) -> None:
    answer = talk(drover_tiny, "What is the capital of Japan?", system="You are a helpful assistant.")

    assert answer == "The capital of Japan is Tokyo."


def test_a_json_object_is_filled(drover_tiny: Examinee) -> None:
    assert talk(drover_tiny, "Give me JSON with name and age for Mia, 7.") == '{"name": "Mia", "age": 7}'


def test_a_story_is_long_enough_to_watch_it_stream(drover_tiny: Examinee) -> None:
    answer = talk(drover_tiny, "Tell me a story.")

    assert len(answer.split()) > 60


def test_the_file_says_how_long_the_context_is_and_how_to_write_a_chat(drover_tiny: Examinee) -> None:
    assert drover_tiny.llama.metadata["llama.context_length"] == "512"
    assert "<|im_start|>" in drover_tiny.llama.metadata["tokenizer.chat_template"]


def test_a_sample_of_the_held_out_dialogues_is_answered_exactly(drover_tiny: Examinee) -> None:
    sample = cases(3, {"recall name": 12, "recall pet": 8, "capital": 12, "not told": 6, "sum": 6, "json": 6})

    asked, right = examine(drover_tiny, sample, show_wrong=True)

    assert right.total() / asked.total() >= 0.9
