"""Chooses the held-out dialogues that the model is examined on: some of every kind, the last answer is the question."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from models.tiny.dialogues import dialogues
from models.tiny.turns import Dialogue

CASES_OF_A_KIND = {
    "recall name": 100, "recall colour": 80, "recall pet": 80, "recall other": 60, "recall after correction": 60,
    "recall 6 or more turns later": 60, "recall everything": 30, "not told": 60, "capital": 100, "sum": 60,
    "repeat": 60, "json": 60, "tell": 60, "small talk": 60, "unknown": 30, "two in one": 30, "count": 20,
    "story": 20, "recite": 20,
}  # fmt: skip
FAR_TURNS = 6
_RENAMED = {"tell_two": "tell", "not_told": "not told", "small_talk": "small talk", "two_in_one": "two in one"}
_OWN_KINDS = ("name", "colour", "pet", "everything")


@dataclass(frozen=True)
class Case:
    """Messages up to a question, and the one right answer."""

    kind: str
    messages: list[dict[str, str]]
    answer: str


def cases(seed: int, of_each_kind: Mapping[str, int] = CASES_OF_A_KIND) -> Iterator[Case]:
    """As many held-out cases of each kind as the table says."""
    wanted = Counter(of_each_kind)
    for dialogue in dialogues(seed, "held_out"):
        kind = kind_of(dialogue)
        if wanted[kind] > 0 and dialogue.first_trained < len(dialogue.turns):
            wanted[kind] -= 1
            messages = dialogue.messages()
            yield Case(kind, messages[:-1], messages[-1]["content"])
        if not +wanted:
            return


def kind_of(dialogue: Dialogue) -> str:
    """The row of the table that the dialogue's last turn belongs to."""
    *before, last = dialogue.turns
    if not last.kind.startswith("recall_"):
        return _RENAMED.get(last.kind, last.kind)
    topic = last.kind.removeprefix("recall_")
    told = [number for number, turn in enumerate(before) if topic in turn.shown and turn.kind.startswith("tell")]
    if len({str(before[number].shown[topic]) for number in told}) > 1:
        return "recall after correction"
    if told and len(before) - told[-1] >= FAR_TURNS:
        return f"recall {FAR_TURNS} or more turns later"
    return f"recall {topic}" if topic in _OWN_KINDS else "recall other"
