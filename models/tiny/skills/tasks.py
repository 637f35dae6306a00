"""Turns with a small task: repeat words, add numbers, fill a JSON object."""

import json
import random

from models.tiny.turns import Facts, Turn, render
from models.tiny.words import CITIES, COLOURS, FOODS, SPECIES, Words

LARGEST_SUMMAND = 20

_REPEATS = (
    "Repeat: {phrase}", "Repeat after me: {phrase}", "Say {phrase}.", "Please repeat: {phrase}", "Echo {phrase}.",
    "Say: {phrase}", "Repeat the words {phrase}.", "Repeat this: {phrase}", "Can you repeat {phrase}?",
    "Please say {phrase}.", "Can you say {phrase}?", "Echo: {phrase}", "Say the words {phrase}.",
)  # fmt: skip
_SUMS = (
    "What is {a} + {b}?", "What is {a} plus {b}?", "{a} + {b}", "{a} + {b} = ?", "{a} plus {b}?", "Add {a} and {b}.",
    "How much is {a} + {b}?", "What's {a} plus {b}?", "Compute {a} + {b}.", "What is the sum of {a} and {b}?",
    "{a}+{b}", "{a}+{b}=?", "Calculate {a} plus {b}.", "What is {a}+{b}?", "How much is {a} and {b}?",
    "Can you add {a} and {b}?", "What is {a} + {b}", "If I have {a} apples and get {b} more, how many do I have?",
)  # fmt: skip
_JSON_BY_KEYS = (
    "Give me JSON with {keys} for {values}.", "Return JSON with {keys} for {values}.",
    "Make a JSON object with {keys} for {values}.", "Write JSON with the keys {keys} for {values}.",
    "JSON with {keys}: {values}", "Fill a JSON object with {keys} for {values}.", "As JSON with {keys}: {values}",
    "Give me a JSON object with {keys}: {values}.", "Answer in JSON with {keys} for {values}.",
    "Create JSON with the fields {keys} for {values}.", "Extract {keys} as JSON: {values}",
    "Give me {keys} as JSON for {values}.", "I need JSON with {keys}. The values are {values}.",
)  # fmt: skip
_JSON_BY_PAIRS = (
    "Give me JSON where {pairs}.", "Make JSON: {pairs}", "Write as JSON: {pairs}", "Return a JSON object: {pairs}.",
    "Turn this into JSON: {pairs}", "JSON please: {pairs}", "Convert to JSON: {pairs}",
    "Return a JSON object with {pairs}.", "Give me a JSON object with {pairs}.", "Answer only with JSON: {pairs}",
)  # fmt: skip


def repeat(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """The user wants words said back."""
    text, typed = render(rng, rng.choice(_REPEATS), {"phrase": words.phrase(rng)})
    return Turn("repeat", text, typed["phrase"])


def add(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """The user wants two numbers up to twenty added."""
    a, b = rng.randint(0, LARGEST_SUMMAND), rng.randint(0, LARGEST_SUMMAND)
    text, _ = render(rng, rng.choice(_SUMS), {"a": str(a), "b": str(b)})
    return Turn("sum", text, f"{a} + {b} = {a + b}.")


def _fields(rng: random.Random, words: Words) -> dict[str, str]:
    drawn = {
        "name": words.name(rng), "age": str(rng.randint(1, 99)), "city": rng.choice(CITIES),
        "colour": rng.choice(COLOURS), "pet": rng.choice(SPECIES), "food": rng.choice(FOODS),
    }  # fmt: skip
    others = rng.sample([key for key in drawn if key != "name"], rng.choice((0, 1, 1, 1, 1, 2)))
    keys = others if others and rng.random() < 0.15 else ["name", *others]
    return {key: drawn[key] for key in keys}


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def fill_json(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """The user wants one to three fields as a JSON object; an age is a number."""
    fields = _fields(rng, words)
    if rng.random() < 0.6:
        template = rng.choice(_JSON_BY_KEYS)
        value_list = ", ".join(f"{{{key}}}" for key in fields)
        template = template.replace("{keys}", _listed(list(fields))).replace("{values}", value_list)
    else:
        link = rng.choice((" is ", " is ", "=", ": ", " "))
        quote = '"' if rng.random() < 0.25 else ""
        pairs = [f"{key}{link}{quote}{{{key}}}{quote}" for key in fields]
        template = rng.choice(_JSON_BY_PAIRS).replace("{pairs}", rng.choice((", ".join, _listed))(pairs))
    text, typed = render(rng, template, fields)
    filled = {key: int(value) if key == "age" else value for key, value in typed.items()}
    return Turn("json", text, json.dumps(filled))
