"""Turns of greeting, thanking and asking the model about itself: sentences with fixed answers."""

import random

from models.tiny.turns import Facts, Turn, render
from models.tiny.words import WORD_LISTS, Words

WHO_I_AM = "I am Drover Tiny, a very small language model."
_FIXED = {
    "Hello! How can I help you?": (
        "Hello!", "Hi!", "Hey!", "Hello there!", "Good morning!", "Good evening!", "Hi there!", "Good day!", "Hello",
        "Hey there", "Greetings!", "Good afternoon!", "Hello, how can you help me?", "Howdy!",
    ),
    "You are welcome!": (
        "Thank you!", "Thanks!", "Thank you very much!", "Thanks a lot!", "Many thanks!", "Thx!", "Great, thank you!",
        "Thank you for your help!", "Thanks, that helps!", "Cheers!", "Perfect, thanks!", "Great, thanks!",
    ),
    WHO_I_AM: (
        "Who are you?", "What are you?", "What is your name?", "What's your name?", "Introduce yourself.",
        "Tell me who you are.", "Are you a robot?", "Are you a human?", "Which model are you?", "And who are you?",
        "Do you have a name?", "Tell me about yourself.", "What model is this?", "What should I call you?",
    ),
    "I am fine, thank you. How are you?": (
        "How are you?", "How are you doing?", "How is it going?", "Are you well?", "How do you do?", "What's up?",
        "How do you feel?", "How are you today?",
    ),
    "Goodbye! Have a nice day.": (
        "Bye!", "Goodbye!", "See you!", "See you later!", "Bye bye!", "I have to go now.", "Good night!",
        "Talk to you later!", "Have a nice day!", "That's all for today.",
    ),
    "I can remember what you tell me, name capitals, add small numbers, repeat words, fill in JSON and tell stories.": (
        "What can you do?", "What are you good at?", "How can you help me?", "What do you do?", "Help!",
        "What can I ask you?", "What are your skills?", "Can you help me?",
    ),
    "I was trained from scratch for Drover on dialogues that a program wrote.": (
        "Who made you?", "How were you trained?", "Where do you come from?", "Who trained you?", "Who created you?",
        "How were you made?", "Who built you?",
    ),
    "Good.": (
        "Ok.", "Okay.", "I see.", "Interesting.", "Nice.", "Great.", "Cool.", "Good.", "Alright.", "Yes.", "Right.",
        "That is right.", "Correct.", "Well done.", "Good job.", "Fine.", "Exactly.", "Got it.",
    ),
    "I am here.": ("Ping", "Test", "Are you there?", "Testing, testing.", "Is anybody there?", "ping!", "Test 1 2 3."),
    "Why do cows wear bells? Because their horns do not work.": (
        "Tell me a joke.", "Do you know a joke?", "Make me laugh.", "Say something funny.", "A joke, please.",
    ),
}  # fmt: skip
_CHATTER = (
    "I went to the {place} today.", "It is {weather} outside.", "I am {mood} today.", "I had a {mood} day.",
    "The {place} was closed.", "We walked to the {place}.", "I am going to the {place}.", "It was {weather} today.",
    "Tomorrow I will go to the {place}.", "My day was {mood}.", "I feel {mood}.", "I like {weather} days.",
    "Yesterday it was {weather}.", "I bought a book at the {place}.", "I met somebody at the {place}.",
)  # fmt: skip
_PLACES = WORD_LISTS["places"]
_WEATHER = WORD_LISTS["weather"]
_MOODS = WORD_LISTS["moods"]


def small_talk(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """A greeting, thanks, or a question about the model."""
    reply, sentences = rng.choices(list(_FIXED.items()), weights=(3, 3, 3, 1, 1, 1, 1, 1, 1, 1))[0]
    text, _ = render(rng, rng.choice(sentences), {})
    return Turn("small_talk", text, reply)


def chatter(rng: random.Random, facts: Facts, words: Words) -> Turn:
    """A remark about the day, which tells nothing to be remembered."""
    slots = {"place": rng.choice(_PLACES), "weather": rng.choice(_WEATHER), "mood": rng.choice(_MOODS)}
    text, _ = render(rng, rng.choice(_CHATTER), slots)
    return Turn("small_talk", text, "Thank you for telling me about your day.")
