"""Turns that ask for many words, so that streams have many tokens."""

import random

from models.tiny.skills.knowledge import CAPITALS
from models.tiny.turns import Facts, Turn, render
from models.tiny.words import Words

HEROES = {
    "fox": ("Rusty", "a quiet forest", "a golden key", "an old owl"),
    "dog": ("Biscuit", "a small farm", "a red ball", "a young goat"),
    "cat": ("Velvet", "a tall house", "a silver bell", "a grey mouse"),
    "dragon": ("Ember", "a high mountain", "a warm stone", "a brave sheep"),
    "robot": ("Bolt", "a busy workshop", "a tiny lamp", "a kind clockmaker"),
    "bear": ("Bruno", "a deep valley", "a jar of honey", "a clever bee"),
    "princess": ("Elsa", "a bright castle", "a blue letter", "a lost knight"),
    "pirate": ("Morgan", "a wide sea", "a torn map", "a green parrot"),
    "rabbit": ("Clover", "a wet meadow", "a sweet carrot", "a slow turtle"),
    "drover": ("Jack", "a long dusty road", "a wooden whistle", "a herd of llamas"),
}
_STORY = (
    "Once upon a time there was a {hero} called {name}. {name} lived in {place}. One day {name} found {thing} and "
    "wondered whose it was. So {name} walked for three days and asked everybody. At last {name} met {friend}. "
    "It is mine, said {friend}, thank you for bringing it back! From that day on they were friends, and every "
    "evening they sat together in {place} and told each other stories. The end."
)
_STORY_ASKS = (
    "Tell me a story about a {hero}.", "Tell a story about a {hero}.", "A story about a {hero}, please.",
    "Can you tell me a story about a {hero}?", "Write a short story about a {hero}.", "Write a story about a {hero}.",
)  # fmt: skip
_ANY_STORY_ASKS = (
    "Tell me a story.", "Tell a story.", "A story, please.", "Can you tell me a story?", "Write a short story.",
    "Write a story.", "Do you know a story?", "Tell me a long story.", "I want to hear a story.",
)  # fmt: skip
_COUNTS = (
    "Count from {a} to {b}.", "Please count from {a} to {b}.", "Can you count from {a} to {b}?",
    "Count {a} to {b}.", "List the numbers from {a} to {b}.", "Say the numbers from {a} to {b}.",
)  # fmt: skip
_CAPITAL_LIST = "I know these capitals: " + ", ".join(f"{city} ({land})" for land, city in CAPITALS.items()) + "."
_FIXED = {
    _CAPITAL_LIST: (
        "List the capitals you know.", "Which capitals do you know?", "List all capitals.", "Name all the capitals.",
        "Tell me all the capitals you know.", "What capitals do you know?", "List some capitals.",
    ),
    "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday.": (
        "List the days of the week.", "What are the days of the week?", "Name the days of the week.",
        "Say the days of the week.",
    ),
    "January, February, March, April, May, June, July, August, September, October, November, December.": (
        "List the months.", "What are the months of the year?", "Name the months of the year.", "List all months.",
    ),
    "a b c d e f g h i j k l m n o p q r s t u v w x y z": (
        "Say the alphabet.", "Recite the alphabet.", "What is the alphabet?", "List the letters of the alphabet.",
    ),
    "The llamas walk along the road, the drover walks behind. He carries all the heavy load that nobody could find. "
    "He counts them early, counts them late, he never loses one. And when they reach the garden gate, he knows the "
    "work is done.": (
        "Write a poem.", "Tell me a poem.", "A poem, please.", "Write me a poem.", "Do you know a poem?",
    ),
}  # fmt: skip


def story(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """A story about a hero, the drover where none is named."""
    hero = rng.choice(list(HEROES))
    is_any = rng.random() < 0.3
    if is_any:
        hero = "drover"
    text, _ = render(rng, rng.choice(_ANY_STORY_ASKS if is_any else _STORY_ASKS), {"hero": hero})
    name, place, thing, friend = HEROES[hero]
    return Turn("story", text, _STORY.format(hero=hero, name=name, place=place, thing=thing, friend=friend))


def count(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """Numbers upwards, from one mostly."""
    first = 1 if rng.random() < 0.6 else rng.randint(0, 20)
    last = first + rng.randint(2, 29)
    text, _ = render(rng, rng.choice(_COUNTS), {"a": str(first), "b": str(last)})
    return Turn("count", text, ", ".join(str(number) for number in range(first, last + 1)) + ".")


def recite(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """A list or a poem known by heart."""
    reply, asks = rng.choice(list(_FIXED.items()))
    text, _ = render(rng, rng.choice(asks), {})
    return Turn("recite", text, reply)
