"""Chooses the words that dialogues are about, and keeps some names away from training."""

import random
import zlib
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "held_out"]

HELD_OUT_SHARE = 10  # one name in ten never occurs in training

NAMES = (
    "Mia Anna Ben Tom Lena Max Sara Paul Nina Leo Emma Noah Olivia Liam Ava Ethan Sophia Lucas Isabella Mason "
    "Amelia Logan Harper James Evelyn Jack Luna Henry Chloe Owen Ella Daniel Grace Samuel Zoe David Lily Joseph "
    "Hannah Carter Nora Wyatt Layla John Aria Julian Ellie Luke Stella Gabriel Maya Isaac Lucy Anthony Ruby Dylan "
    "Alice Bob Carol Dave Eve Frank Heidi Ivan Judy Oscar Peggy Rupert Sybil Trent Victor Wendy Yasmin Zach Omar "
    "Fatima Ali Aisha Hassan Priya Arjun Ravi Anjali Wei Ling Chen Mei Yuki Kenji Haruto Sakura Akira Ji Min Soo "
    "Carlos Maria Jose Lucia Diego Elena Miguel Sofia Pablo Carmen Juan Rosa Pedro Ines Joao Beatriz Tiago Marta "
    "Pierre Marie Claire Louis Camille Hugo Jules Manon Hans Greta Klaus Ingrid Lars Astrid Bjorn Freya Sven Olga "
    "Boris Irina Dmitri Natasha Pavel Katya Milan Jana Marek Ewa Piotr Agnes Zoltan Andrei Ioana Nikos Eleni "
    "Kwame Amara Chidi Ngozi Tariq Layan Samir Leila Yusuf Zainab Kofi Abena Tunde Simone Marco Giulia Luca "
    "Francesca Matteo Chiara Peter Susan Robert Linda Michael Karen William Nancy Richard Betty Thomas Helen "
    "George Sandra Kevin Donna Brian Ruth Edward Sharon Alex Sam Chris Kim Jordan Taylor Morgan Robin Jamie Casey"
).split()
PET_NAMES = (
    "Rex Milo Bella Luna Max Coco Daisy Rocky Buddy Molly Simba Nala Oscar Ruby Toby Lola Felix Ginger Shadow "
    "Smokey Tiger Pepper Cookie Biscuit Bruno Rufus Fluffy Snowy Patch Ziggy Pixie Misty Whiskers Mittens Socks "
    "Peanut Pickles Waffles Mochi Sushi Nemo Dory Kiwi Mango Olive Hazel Willow Maple Thor Loki Zeus Apollo Athena"
).split()
COLOURS = (
    "red blue green yellow orange purple pink black white brown grey gold silver turquoise violet crimson "
    "beige teal indigo lilac navy olive coral cyan magenta maroon"
).split()
SPECIES = "dog cat rabbit hamster parrot fish horse turtle goat mouse snake pony duck lizard ferret".split()
FOODS = (
    "pizza pasta rice soup salad sushi bread cheese curry cake chocolate noodles tacos burgers pancakes apples "
    "bananas potatoes fish chicken tofu beans lasagne waffles honey"
).split()
CITIES = (
    "Paris London Berlin Madrid Rome Vienna Oslo Lisbon Boston Chicago Denver Seattle Munich Hamburg Lyon Milan "
    "Porto Krakow Leeds Bristol Toronto Sydney Mumbai Nairobi Lagos Osaka Seoul Lima Austin Geneva"
).split()
RELATIONS = "brother sister friend mother father cousin teacher neighbour uncle aunt".split()
PLAIN_WORDS = (
    "apple river stone table window garden cloud summer winter paper bottle candle forest mountain bridge music "
    "silver coffee pencil mirror button ladder island kitchen blanket basket rocket planet tunnel castle hello "
    "world banana lemon tiger monkey dragon pillow wagon hammer rope spoon desert ocean valley meadow train boat "
    "moon star rain snow wind fire earth light shadow tree leaf flower grass bird happy quick lazy brown jumps"
).split()

_ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl dr fl gr kr pl sh sl st th tr ".split(" ")
_VOWELS = "a e i o u a e i o u ai ee ia oo ou y".split()
_CODAS = " n r l s k m t th x nd sh   ".split(" ")


def is_held_out(word: str) -> bool:
    """Whether this name is kept away from training, whatever its letter case."""
    return zlib.crc32(word.lower().encode()) % HELD_OUT_SHARE == 0


def _syllable(rng: random.Random) -> str:
    return rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS)


@dataclass(frozen=True)
class Words:
    """Draws names of one split; every other word is common to both."""

    split: Split

    def _belongs(self, word: str) -> bool:
        return is_held_out(word) == (self.split == "held_out")

    def _made_up(self, rng: random.Random) -> str:
        while True:
            word = "".join(_syllable(rng) for _ in range(rng.choice((1, 2, 2, 2, 3, 3, 4))))
            if 3 <= len(word) <= 14 and self._belongs(word):
                return word.capitalize()

    def name(self, rng: random.Random) -> str:
        """A person's name: half of them real, half made of syllables, so that copying has to be general."""
        if rng.random() < 0.06:
            return f"{self._listed(rng, NAMES)} {self._made_up(rng)}"
        if rng.random() < 0.5:
            return self._made_up(rng)
        return self._listed(rng, NAMES)

    def pet_name(self, rng: random.Random) -> str:
        """A pet's name, drawn as `name` does."""
        if rng.random() < 0.4:
            return self._made_up(rng)
        return self._listed(rng, PET_NAMES)

    def _listed(self, rng: random.Random, names: list[str]) -> str:
        return rng.choice([name for name in names if self._belongs(name)])

    def word(self, rng: random.Random) -> str:
        """An ordinary word or a made-up one, in small letters."""
        return rng.choice(PLAIN_WORDS) if rng.random() < 0.5 else self._made_up(rng).lower()

    def phrase(self, rng: random.Random) -> str:
        """One to five words to be repeated, some of them made up."""
        count = rng.choice((1, 1, 2, 2, 3, 3, 4, 5))
        return " ".join(
            rng.choice(PLAIN_WORDS) if rng.random() < 0.6 else self._made_up(rng).lower() for _ in range(count)
        )
