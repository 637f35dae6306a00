import itertools
import json
import re

from models.tiny.dialogues import dialogues, split_of
from models.tiny.skills.knowledge import CAPITALS
from models.tiny.turns import Dialogue
from models.tiny.words import NAMES, PET_NAMES, is_held_out


def some(count: int, seed: int = 1, split: str = "train") -> list[Dialogue]:
    return list(itertools.islice(dialogues(seed, split), count))  # type: ignore[arg-type]


def texts(found: list[Dialogue]) -> list[str]:
    return [json.dumps(dialogue.messages()) for dialogue in found]


def test_the_same_seed_gives_the_same_dialogues() -> None:
    assert texts(some(50, seed=4)) == texts(some(50, seed=4))


def test_another_seed_gives_other_dialogues() -> None:
    assert texts(some(50, seed=4)) != texts(some(50, seed=5))


def test_no_held_out_dialogue_occurs_in_training() -> None:
    learnt = set(texts(some(2000, split="train")))

    asked = set(texts(some(300, split="held_out")))

    assert not learnt & asked


def test_every_dialogue_belongs_to_the_split_that_it_was_made_for() -> None:
    assert {split_of(dialogue) for dialogue in some(200, split="train")} == {"train"}
    assert {split_of(dialogue) for dialogue in some(30, split="held_out")} == {"held_out"}


def test_no_held_out_name_is_told_in_training() -> None:
    told = [turn.shown["name"]["name"] for dialogue in some(1000) for turn in dialogue.turns if "name" in turn.shown]

    assert told
    assert not [name for name in told if any(is_held_out(part) for part in name.split())]


def test_both_splits_have_listed_names() -> None:
    for names in (NAMES, PET_NAMES):
        assert {is_held_out(name) for name in names} == {True, False}


def test_an_answer_repeats_the_fact_that_was_told_last() -> None:
    checked = 0

    for dialogue in some(2000):
        told: str | None = None
        for turn in dialogue.turns[: dialogue.first_trained or None]:
            if turn.kind == "recall_name" and told is not None:
                assert turn.reply == f"Your name is {told}."
                checked += 1
            if "name" in turn.shown:
                told = turn.shown["name"]["name"]

    assert checked > 100


def test_a_fact_that_cannot_be_read_in_the_dialogue_is_not_answered() -> None:
    checked = 0

    for dialogue in some(2000):
        for number, turn in enumerate(dialogue.turns[dialogue.first_trained :], dialogue.first_trained):
            if turn.kind == "recall_name":
                name = turn.shown["name"]["name"]
                before = [dialogue.system or ""] + [earlier.user + earlier.reply for earlier in dialogue.turns[:number]]
                assert any(name in text for text in before), (name, before)
                checked += 1

    assert checked > 200


def test_the_json_that_is_taught_is_valid() -> None:
    replies = [turn.reply for dialogue in some(500) for turn in dialogue.turns if turn.kind == "json"]

    assert replies
    assert all(isinstance(json.loads(reply), dict) for reply in replies)


def test_the_sums_that_are_taught_are_right() -> None:
    replies = [turn.reply for dialogue in some(500) for turn in dialogue.turns if turn.kind == "sum"]

    assert replies
    for reply in replies:
        a, b, total = map(int, re.fullmatch(r"(\d+) \+ (\d+) = (\d+)\.", reply).groups())  # type: ignore[union-attr]
        assert a + b == total


def test_twenty_capitals_are_taught() -> None:
    taught = {turn.reply for dialogue in some(1500) for turn in dialogue.turns if turn.kind == "capital"}

    assert taught == {f"The capital of {country} is {capital}." for country, capital in CAPITALS.items()}
    assert len(taught) == 20
