"""The shape of a dialogue, and how a user's sentence is made less tidy."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

Slots = dict[str, str]
Facts = dict[str, Slots]


@dataclass(frozen=True)
class Turn:
    """One question and the one right answer to it.

    `shown` holds the facts about the user that somebody who reads only this turn knows.
    """

    kind: str
    user: str
    reply: str
    shown: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Dialogue:
    """Turns after an optional system message; turns before `first_trained` are context, not to be learnt."""

    system: str | None
    turns: tuple[Turn, ...]
    first_trained: int = 0

    def messages(self) -> list[dict[str, str]]:
        """The dialogue in the form of OpenAI's chat messages."""
        messages = [{"role": "system", "content": self.system}] if self.system else []
        for turn in self.turns:
            messages.append({"role": "user", "content": turn.user})
            messages.append({"role": "assistant", "content": turn.reply})
        return messages


def _swap_two_letters(rng: random.Random, text: str) -> str:
    """One typing mistake in a word that is no slot."""
    words = [match for match in re.finditer(r"(?<![{\w])[a-z]{4,}(?![}\w])", text)]
    if not words:
        return text
    at = rng.choice(words).start() + rng.randrange(1, 3)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def render(rng: random.Random, template: str, slots: Mapping[str, str]) -> tuple[str, Slots]:
    """Fill a template as a hurried person would type it; the slots come back in the letter case used."""
    if rng.random() < 0.02:
        template = _swap_two_letters(rng, template)
    if rng.random() < 0.15:
        template = template.replace("'", "")
    if rng.random() < 0.3:
        template = template.rstrip(".!?")
    case = rng.random()
    if case < 0.18:
        return template.format(**slots).lower(), {key: value.lower() for key, value in slots.items()}
    if case < 0.19:
        return template.format(**slots).upper(), {key: value.upper() for key, value in slots.items()}
    if case < 0.27 and not template.startswith("{"):
        template = template[0].lower() + template[1:]
    return template.format(**slots), dict(slots)
