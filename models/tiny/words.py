"""Chooses the words that dialogues are about, and keeps some names away from training."""

import random
import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["train", "held_out"]

HELD_OUT_SHARE = 10  # one name in ten never occurs in training

WORD_LISTS: dict[str, list[str]] = {
    name: words.split()
    for name, words in tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8")).items()
}
NAMES = WORD_LISTS["names"]
PET_NAMES = WORD_LISTS["pet_names"]
COLOURS = WORD_LISTS["colours"]
SPECIES = WORD_LISTS["species"]
FOODS = WORD_LISTS["foods"]
CITIES = WORD_LISTS["cities"]
RELATIONS = WORD_LISTS["relations"]
PLAIN_WORDS = WORD_LISTS["plain_words"]

# A made-up name is syllables of these; what stands twice is drawn twice as often.
_ONSETS = (*"bcdfghjklmnprstvwz", "br", "ch", "cl", "dr", "fl", "gr", "kr", "pl", "sh", "sl", "st", "th", "tr", "")
_VOWELS = (*"aeiouaeiou", "ai", "ee", "ia", "oo", "ou", "y")
_CODAS = ("", *"nrlskmt", "th", "x", "nd", "sh", "", "", "")


def is_held_out(word: str) -> bool:
    """Whether this name is kept away from training, whatever its letter case."""
    return zlib.crc32(word.lower().encode()) % HELD_OUT_SHARE == 0


def _syllable(rng: random.Random) -> str:
    return "".join(rng.choice(sounds) for sounds in (_ONSETS, _VOWELS, _CODAS))


def _spliced(rng: random.Random) -> str:
    """The beginning of one word and the end of another, so that tokens rare in whole words are learnt as well."""
    first, second = rng.choice(PLAIN_WORDS), rng.choice((*PLAIN_WORDS, *CITIES, *FOODS)).lower()
    return first[: rng.randint(0, len(first))] + second[rng.randint(0, 3) :]


@dataclass(frozen=True)
class Words:
    """Draws names of one split; every other word is common to both."""

    split: Split

    def _belongs(self, word: str) -> bool:
        return is_held_out(word) == (self.split == "held_out")

    def _made_up(self, rng: random.Random) -> str:
        while True:
            if rng.random() < 0.6:
                word = "".join(_syllable(rng) for _ in range(rng.choice((1, 2, 2, 2, 2, 3))))
            else:
                word = _spliced(rng)
            if 3 <= len(word) <= 10 and self._belongs(word):
                return word.capitalize()

    def name(self, rng: random.Random) -> str:
        """A person's name: most of them real, the others made of syllables, so that copying has to be general."""
        if rng.random() < 0.03:
            return f"{self._listed(rng, NAMES)} {self._made_up(rng)}"
        if rng.random() < 0.4:
            return self._made_up(rng)
        return self._listed(rng, NAMES)

    def pet_name(self, rng: random.Random) -> str:
        """A pet's name, drawn as `name` does."""
        if rng.random() < 0.3:
            return self._made_up(rng)
        return self._listed(rng, PET_NAMES)

    def _listed(self, rng: random.Random, names: list[str]) -> str:
        return rng.choice([name for name in names if self._belongs(name)])

    def word(self, rng: random.Random) -> str:
        """An ordinary word or a made-up one, in small letters."""
        return rng.choice(PLAIN_WORDS) if rng.random() < 0.7 else self._made_up(rng).lower()

    def phrase(self, rng: random.Random) -> str:
        """One to four words to be repeated, some of them made up."""
        count = rng.choice((1, 1, 2, 2, 3, 3, 4))
        return " ".join(
            rng.choice(PLAIN_WORDS) if rng.random() < 0.8 else self._made_up(rng).lower() for _ in range(count)
        )
