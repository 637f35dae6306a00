"""Turns about the twenty capitals, and about what the model does not know."""

import random

from models.tiny.turns import Facts, Turn, render
from models.tiny.words import WORD_LISTS, Words

CAPITALS = {
    "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid", "Portugal": "Lisbon",
    "Austria": "Vienna", "Poland": "Warsaw", "Norway": "Oslo", "Sweden": "Stockholm", "Greece": "Athens",
    "Ireland": "Dublin", "Hungary": "Budapest", "Japan": "Tokyo", "China": "Beijing", "India": "New Delhi",
    "Egypt": "Cairo", "Kenya": "Nairobi", "Canada": "Ottawa", "Brazil": "Brasilia", "Australia": "Canberra",
}  # fmt: skip
OTHER_COUNTRIES = WORD_LISTS["other_countries"]
_ASKS = (
    "What is the capital of {country}?", "What's the capital of {country}?", "Name the capital of {country}.",
    "Which city is the capital of {country}?", "Tell me the capital of {country}.", "Capital of {country}?",
    "The capital of {country} is?", "Do you know the capital of {country}?", "{country}'s capital?",
    "Can you tell me the capital of {country}?", "What is {country}'s capital?", "capital {country}",
    "What city is the capital of {country}?", "I forgot the capital of {country}. What is it?",
    "What is the capital city of {country}?", "And the capital of {country}?", "And of {country}?",
)  # fmt: skip
_REVERSE = (
    "{capital} is the capital of which country?", "Which country has the capital {capital}?",
    "Of which country is {capital} the capital?", "Which country is {capital} the capital of?",
)  # fmt: skip
_UNKNOWN = (
    "What is the weather like today?", "What time is it?", "Who won the match?", "What is the meaning of life?",
    "How tall is the tower?", "Who wrote this book?", "What is the news today?", "How far is the moon?",
    "Who is the president?", "Can you write code?", "Explain quantum physics.", "What is love?", "How do magnets work?",
    "What is the speed of light?", "Translate this into French.", "Who was Einstein?", "What year is it?",
    "How do I cook an egg?", "Summarise this article.", "What is the largest animal?", "Is it going to rain?",
    "What is the population of {country}?", "Which language do they speak in {country}?",
)  # fmt: skip


def ask_capital(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """A capital, by its country or the other way round."""
    country, capital = rng.choice(list(CAPITALS.items()))
    template = rng.choice(_REVERSE) if rng.random() < 0.15 else rng.choice(_ASKS)
    text, _ = render(rng, template, {"country": country, "capital": capital})
    return Turn("capital", text, f"The capital of {country} is {capital}.")


def ask_unknown(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """Something that a model of two million parameters cannot know."""
    if rng.random() < 0.4:
        country = rng.choice(OTHER_COUNTRIES)
        text, _ = render(rng, rng.choice(_ASKS[:-1]), {"country": country})
        return Turn("unknown", text, "I am sorry, I do not know that capital.")
    country = rng.choice([*CAPITALS, *OTHER_COUNTRIES])
    text, _ = render(rng, rng.choice(_UNKNOWN), {"country": country})
    return Turn("unknown", text, "I am sorry, I am too small to know that.")
