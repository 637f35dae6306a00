"""Turns in which the user tells facts, corrects them, or asks for them."""

import random

from models.tiny.skills.topics import NAME, PET, TOPICS, Topic
from models.tiny.turns import Facts, Slots, Turn, render
from models.tiny.words import SPECIES, Words

_PET_NAME_ASKS = (
    "What is my {species} called?", "What is my {species}'s name?", "What is the name of my {species}?",
    "Do you remember my {species}?", "What's my {species}'s name?", "Do you remember the name of my {species}?",
)  # fmt: skip
_ABOUT_ME = (
    "What do you know about me?", "What did I tell you about me?", "Tell me what you know about me.",
    "What do you remember about me?", "What have I told you?", "What do you know?",
)  # fmt: skip
_JSON_ASKS = ("Give me my name as JSON.", "Return my name as a JSON object.", "My name as JSON please.")


def draw_topic(rng: random.Random, among: list[Topic]) -> Topic:
    """One topic, the important ones more often."""
    return rng.choices(among, weights=[topic.weight for topic in among])[0]


def tell(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """The user tells one fact, or now and then two or three in one message; a known fact mostly as a correction."""
    drawn = [draw_topic(rng, list(TOPICS)) for _ in range(rng.choice((1,) * 12 + (2,) * 3 + (3,)))]
    topics = list({topic.key: topic for topic in drawn}.values())
    texts, replies, shown = [], [], {}
    for topic in topics:
        text, reply, slots = _tell_one(rng, topic, facts, words)
        texts.append(text)
        replies.append(reply)
        shown[topic.key] = slots
    joiner = rng.choice((" ", " and ", ", and ", ". "))
    if joiner != " ":
        texts[:-1] = [text.rstrip(".!?") for text in texts[:-1]]
    kind = "tell_two" if len(topics) > 1 else "tell"
    return Turn(kind, joiner.join(texts), " ".join(replies), shown)


def correct(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """The user puts right what he told before."""
    if not facts:
        return tell(rng, facts, words)
    topic = draw_topic(rng, [topic for topic in TOPICS if topic.key in facts])
    text, reply, slots = _tell_one(rng, topic, facts, words)
    return Turn("tell", text, reply, {topic.key: slots})


def _tell_one(rng: random.Random, topic: Topic, facts: Facts, words: Words) -> tuple[str, str, Slots]:
    is_correction = topic.key in facts and rng.random() < 0.8
    template = rng.choice(topic.corrections if is_correction else topic.tells)
    text, slots = render(rng, template, topic.draw(rng, words))
    if is_correction:
        return text, "Thank you for telling me. " + topic.answer.format(**slots), slots
    return text, topic.acknowledgement.format(**slots), slots


def ask(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """The user asks for a fact that was told."""
    if not facts:
        return tell(rng, facts, words) if rng.random() < 0.6 else ask_untold(rng, facts, words)
    topic = draw_topic(rng, [topic for topic in TOPICS if topic.key in facts])
    slots = facts[topic.key]
    template = rng.choice(topic.asks)
    if topic is PET and rng.random() < 0.5:
        template = rng.choice(_PET_NAME_ASKS)
    text, _ = render(rng, template, slots)
    return Turn(f"recall_{topic.key}", text, topic.answer.format(**slots), {topic.key: slots})


def ask_untold(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """The user asks for a fact that was never told."""
    among = [topic for topic in TOPICS if topic.key not in facts]
    if not among:
        return ask(rng, facts, words)
    topic = draw_topic(rng, among)
    template = rng.choice(topic.asks)
    if topic is PET and rng.random() < 0.4:
        template = rng.choice(_PET_NAME_ASKS)
    text, _ = render(rng, template, {"species": rng.choice(SPECIES)})
    return Turn("not_told", text, topic.unknown)


def ask_everything(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """The user asks for all that was told; the answer keeps the order of the topics."""
    text, _ = render(rng, rng.choice(_ABOUT_ME), {})
    known = [topic for topic in TOPICS if topic.key in facts]
    if not known:
        return Turn("not_told", text, "You have not told me anything about yourself yet.")
    if len(known) > 4:
        return ask(rng, facts, words)
    answer = " ".join(topic.answer.format(**facts[topic.key]) for topic in known)
    return Turn("recall_everything", text, answer, {topic.key: facts[topic.key] for topic in known})


def ask_name_as_json(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """The user wants the name that was told in a JSON object."""
    if NAME.key not in facts:
        return ask(rng, facts, words)
    text, _ = render(rng, rng.choice(_JSON_ASKS), {})
    name = facts[NAME.key]["name"]
    return Turn("json", text, f'{{"name": "{name}"}}', {NAME.key: facts[NAME.key]})
