"""The facts a user can tell about himself; their sentences stand in topics.toml."""

import random
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.tiny.turns import Slots
from models.tiny.words import CITIES, COLOURS, FOODS, RELATIONS, SPECIES, Words

Draw = Callable[[random.Random, Words], Slots]

_DRAWS: dict[str, Draw] = {
    "name": lambda rng, words: {"name": words.name(rng)},
    "colour": lambda rng, words: {"colour": rng.choice(COLOURS)},
    "pet": lambda rng, words: {"species": rng.choice(SPECIES), "pet": words.pet_name(rng)},
    "food": lambda rng, words: {"food": rng.choice(FOODS)},
    "city": lambda rng, words: {"city": rng.choice(CITIES)},
    "age": lambda rng, words: {"age": str(rng.randint(3, 99))},
    "word": lambda rng, words: {"word": words.word(rng)},
    "number": lambda rng, words: {"number": str(rng.randint(0, 10 ** rng.randint(1, 3)))},
    "relation": lambda rng, words: {"who": words.name(rng)},
}


@dataclass(frozen=True)
class Topic:
    """One kind of fact; every sentence is a template over the slots that `draw` returns.

    `weight` says how often the topic comes up, beside the others.
    """

    key: str
    draw: Draw
    weight: float
    acknowledgement: str
    answer: str
    unknown: str
    tells: list[str]
    corrections: list[str]
    asks: list[str]


def _read_topics() -> tuple[Topic, ...]:
    text = Path(__file__).with_name("topics.toml").read_text(encoding="utf-8")
    own = {key: _topic(key, text) for key in _DRAWS if key != "relation"}
    relations = [_topic("relation", text, relation) for relation in RELATIONS]
    return (*own.values(), *relations)


def _topic(section: str, text: str, relation: str | None = None) -> Topic:
    """One section of the file; that of the relations is read once for each of them and shares out its weight."""
    fields = tomllib.loads(text.replace("<relation>", relation or ""))[section]
    fields["weight"] /= len(RELATIONS) if relation else 1
    return Topic(key=relation or section, draw=_DRAWS[section], **fields)


TOPICS = _read_topics()
NAME, PET = (next(topic for topic in TOPICS if topic.key == key) for key in ("name", "pet"))
