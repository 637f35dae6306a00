"""Writes the dialogues that drover-tiny learns from, the same ones for the same seed."""

import json
import random
import zlib
from collections.abc import Callable, Iterator

from models.tiny.skills import knowledge, longer, recall, small_talk, tasks
from models.tiny.turns import Dialogue, Facts, Turn
from models.tiny.words import Split, Words

Skill = Callable[[random.Random, Facts, Words], Turn]

SKILLS: dict[Skill, float] = {
    recall.tell: 20,
    recall.correct: 5,
    recall.ask: 32,
    recall.ask_untold: 5,
    recall.ask_everything: 4,
    recall.ask_name_as_json: 1,
    knowledge.ask_capital: 6,
    knowledge.ask_unknown: 2,
    small_talk.small_talk: 6,
    small_talk.chatter: 2,
    tasks.repeat: 6,
    tasks.add: 11,
    tasks.fill_json: 7,
    longer.story: 0.5,
    longer.count: 0.8,
    longer.recite: 0.5,
}
_GREETINGS = ("Hi, ", "Hello, ", "Hi! ", "Hello! ", "Hey, ", "Ok, ", "Thanks. ", "Please, ", "And ", "So ", "Good. ")
_SYSTEM_MESSAGES = (
    "You are a helpful assistant.", "You are a helpful assistant", "You are Drover Tiny.", "Be brief.",
    "You are a friendly assistant.", "Answer shortly.", "You are a helpful and honest assistant.",
    "You are a chat bot.", "Answer the user's questions.", "You are an AI assistant. Be concise.",
    "Be kind and polite.", "You help people.", "Answer in one sentence.", "You are a test model.",
    "You are a helpful assistant. Answer in English.", "Keep your answers short and clear.",
)  # fmt: skip
_NAME_IN_SYSTEM = (" The user is called {name}.", " The user's name is {name}.", " You are talking to {name}.")
_MIN_TURNS_BEFORE_CUT = 3


def dialogues(seed: int, split: Split) -> Iterator[Dialogue]:
    """Dialogues without end; a dialogue that belongs to the other split is skipped."""
    rng = random.Random(f"{split}-{seed}")
    words = Words(split)
    while True:
        dialogue = _truncated(rng, words) if rng.random() < 0.1 else _whole(rng, words)
        if split_of(dialogue) == split:
            yield dialogue


def split_of(dialogue: Dialogue) -> Split:
    """Which split a dialogue belongs to: its text decides, so that no dialogue is ever in both."""
    text = json.dumps(dialogue.messages())
    return "held_out" if zlib.crc32(text.encode()) % 8 == 0 else "train"


def _system(rng: random.Random) -> str | None:
    return rng.choice(_SYSTEM_MESSAGES) if rng.random() < 0.4 else None


def _number_of_turns(rng: random.Random) -> int:
    return rng.choice((rng.randint(1, 3), rng.randint(2, 8), rng.randint(6, 20)))


def _whole(rng: random.Random, words: Words) -> Dialogue:
    facts: Facts = {}
    system = _system(rng)
    if system and rng.random() < 0.15:
        facts["name"] = {"name": words.name(rng)}
        system += rng.choice(_NAME_IN_SYSTEM).format(**facts["name"])
    turns = _continue(rng, facts, words, _number_of_turns(rng))
    return Dialogue(system, tuple(turns))


def _truncated(rng: random.Random, words: Words) -> Dialogue:
    """A dialogue whose oldest turns were cut away: the later answers can rest only on what is still to be read."""
    facts: Facts = {}
    before = _continue(rng, facts, words, rng.randint(_MIN_TURNS_BEFORE_CUT, 9))
    kept = before[rng.randint(1, len(before) - 1) :]
    visible: Facts = {}
    for turn in kept:
        visible.update(turn.shown)
    after = _continue(rng, visible, words, rng.randint(2, 6))
    return Dialogue(_system(rng), tuple(kept + after), first_trained=len(kept))


def _continue(rng: random.Random, facts: Facts, words: Words, count: int) -> list[Turn]:
    """`count` more turns; the facts they tell are added to `facts`."""
    turns = []
    for _ in range(count):
        turn = _one_turn(rng, facts, words)
        facts.update(turn.shown)
        turns.append(turn)
    return turns


def _one_turn(rng: random.Random, facts: Facts, words: Words) -> Turn:
    turn = _draw(rng, facts, words)
    if _can_share_a_message(turn) and rng.random() < 0.06:
        return _two_in_one(rng, turn, facts, words)
    if turn.kind not in ("repeat", "json", "small_talk") and rng.random() < 0.1:
        return Turn(turn.kind, rng.choice(_GREETINGS) + turn.user, turn.reply, turn.shown)
    return turn


def _can_share_a_message(turn: Turn) -> bool:
    if turn.kind.startswith("recall_"):
        return turn.kind != "recall_everything"
    return turn.kind in ("tell", "not_told", "capital", "sum")


def _two_in_one(rng: random.Random, first: Turn, facts: Facts, words: Words) -> Turn:
    """A message that wants two things; the answer gives both, in their order."""
    second = _draw(rng, {**facts, **first.shown}, words)
    if not _can_share_a_message(second):
        return first
    both = {**first.shown, **second.shown}
    link = rng.choice((" ", " ", " and ", ", "))
    start = first.user.rstrip(".?!") if link != " " else first.user
    end = "." if link == " " and start[-1] not in ".?!" else ""
    return Turn("two_in_one", f"{start}{end}{link}{second.user}", f"{first.reply} {second.reply}", both)


def _draw(rng: random.Random, facts: Facts, words: Words) -> Turn:
    skill = rng.choices(list(SKILLS), weights=list(SKILLS.values()))[0]
    return skill(rng, facts, words)
