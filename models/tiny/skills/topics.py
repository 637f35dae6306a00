"""The facts a user can tell about himself: how they are told, asked for, and answered."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from models.tiny.turns import Slots
from models.tiny.words import CITIES, COLOURS, FOODS, RELATIONS, SPECIES, Words


@dataclass(frozen=True)
class Topic:
    """One kind of fact; every sentence is a template over the slots that `draw` returns."""

    key: str
    draw: Callable[[random.Random, Words], Slots]
    tells: tuple[str, ...]
    corrections: tuple[str, ...]
    asks: tuple[str, ...]
    acknowledgement: str
    answer: str
    unknown: str
    weight: float


NAME = Topic(
    key="name",
    draw=lambda rng, words: {"name": words.name(rng)},
    tells=(
        "My name is {name}.", "I'm {name}.", "I am {name}.", "Call me {name}.", "You can call me {name}.",
        "People call me {name}.", "The name is {name}.", "My name's {name}.", "I am called {name}.",
        "Please remember that my name is {name}.", "Remember my name: {name}.", "It's {name} here.",
        "This is {name}.", "Please call me {name}.", "{name} is my name.", "My first name is {name}.",
        "Remember that I am {name}.", "Just so you know, my name is {name}.", "I go by {name}.",
    ),
    corrections=(
        "No, my name is {name}.", "Actually, my name is {name}.", "Sorry, my name is {name}.", "Wrong, I am {name}.",
        "I made a mistake, my name is {name}.", "No, I'm {name}.", "That's wrong, my name is {name}.",
        "Correction: my name is {name}.", "I changed my name to {name}.", "Oops, my name is really {name}.",
        "Not quite, my name is {name}.", "From now on call me {name}.", "My name is not that, it is {name}.",
    ),
    asks=(
        "What is my name?", "What's my name?", "Do you remember my name?", "Who am I?", "Tell me my name.",
        "Can you tell me my name?", "Do you know my name?", "What am I called?", "Say my name.", "My name is?",
        "What did I say my name was?", "Which name did I tell you?", "Remind me of my name.", "What was my name?",
        "What was my name again?", "And what is my name?", "So what is my name?", "Do you still know my name?",
        "Do you know who I am?", "What do people call me?", "Could you repeat my name?",
    ),
    acknowledgement="Nice to meet you, {name}.",
    answer="Your name is {name}.",
    unknown="You have not told me your name yet.",
    weight=3.0,
)
COLOUR = Topic(
    key="colour",
    draw=lambda rng, words: {"colour": rng.choice(COLOURS)},
    tells=(
        "My favourite colour is {colour}.", "My favorite color is {colour}.", "I like {colour} best.",
        "I love the colour {colour}.", "The colour I like most is {colour}.", "{colour} is my favourite colour.",
        "My favourite color is {colour}.", "I like the color {colour} the most.", "The color I love is {colour}.",
        "Remember that my favourite colour is {colour}.", "Of all colours I like {colour} best.",
    ),
    corrections=(
        "No, my favourite colour is {colour}.", "Actually, my favorite color is {colour}.",
        "I changed my mind, my favourite colour is {colour}.", "Sorry, my favourite colour is {colour}.",
        "Correction: my favourite colour is {colour}.", "I now like {colour} best.",
        "My favourite colour is {colour} now.", "That's wrong, my favourite colour is {colour}.",
    ),
    asks=(
        "What is my favourite colour?", "What's my favorite color?", "Which colour do I like?",
        "What colour do I like best?", "Do you remember my favourite colour?", "Tell me my favourite colour.",
        "Do you know my favorite color?", "Which colour is my favourite?", "What was my favourite colour?",
        "Which color do I like most?", "What did I say my favourite colour was?", "My favourite colour is?",
        "Remind me of my favourite colour.", "And my favourite colour?", "Which colour did I tell you?",
    ),
    acknowledgement="I will remember that your favourite colour is {colour}.",
    answer="Your favourite colour is {colour}.",
    unknown="You have not told me your favourite colour yet.",
    weight=2.5,
)
PET = Topic(
    key="pet",
    draw=lambda rng, words: {"species": rng.choice(SPECIES), "pet": words.pet_name(rng)},
    tells=(
        "I have a {species} called {pet}.", "I have a {species} named {pet}.", "My {species} is called {pet}.",
        "My {species}'s name is {pet}.", "I've got a {species}, {pet}.", "I own a {species} called {pet}.",
        "My pet is a {species} called {pet}.", "My {species} is named {pet}.", "{pet} is my {species}.",
        "I live with a {species} named {pet}.", "Remember that my {species} is called {pet}.",
        "I have a pet {species} and its name is {pet}.", "We have a {species}. Its name is {pet}.",
    ),
    corrections=(
        "No, I have a {species} called {pet}.", "Actually, my {species} is called {pet}.",
        "Sorry, I have a {species} named {pet}.", "That's wrong, my {species} is called {pet}.",
        "Correction: I have a {species} called {pet}.", "Now I have a {species} called {pet} instead.",
    ),
    asks=(
        "What is my pet called?", "What is my pet's name?", "What's the name of my pet?", "Which pet do I have?",
        "What pet do I have?", "Do I have a pet?", "Do you remember my pet?", "What is the name of my pet?",
        "Tell me about my pet.", "Do you remember my pet's name?", "Who is my pet?", "What animal do I have?",
        "Which animal do I have?", "Do you know my pet?", "What did I say about my pet?", "And my pet?",
    ),
    acknowledgement="I will remember your {species} {pet}.",
    answer="You have a {species} called {pet}.",
    unknown="You have not told me about your pet yet.",
    weight=2.5,
)
FOOD = Topic(
    key="food",
    draw=lambda rng, words: {"food": rng.choice(FOODS)},
    tells=(
        "My favourite food is {food}.", "My favorite food is {food}.", "I love to eat {food}.",
        "The food I like best is {food}.", "I like eating {food} best.", "{food} is my favourite food.",
    ),
    corrections=(
        "No, my favourite food is {food}.", "Actually, my favourite food is {food}.",
        "I changed my mind, my favorite food is {food}.", "Sorry, my favourite food is {food}.",
    ),
    asks=(
        "What is my favourite food?", "What's my favorite food?", "What food do I like?", "What do I like to eat?",
        "Do you remember my favourite food?", "Which food do I like best?", "What do I love to eat?",
    ),
    acknowledgement="I will remember that your favourite food is {food}.",
    answer="Your favourite food is {food}.",
    unknown="You have not told me your favourite food yet.",
    weight=1.0,
)
CITY = Topic(
    key="city",
    draw=lambda rng, words: {"city": rng.choice(CITIES)},
    tells=(
        "I live in {city}.", "I am from {city}.", "I'm from {city}.", "My home is in {city}.", "I come from {city}.",
        "My city is {city}.", "I am living in {city}.", "My home town is {city}.",
    ),
    corrections=(
        "No, I live in {city}.", "Actually, I live in {city}.", "I moved to {city}.", "Sorry, I live in {city}.",
    ),
    asks=(
        "Where do I live?", "Which city do I live in?", "What city do I live in?", "Where am I from?",
        "Do you remember where I live?", "Where is my home?", "What is my city?", "In which city do I live?",
    ),
    acknowledgement="I will remember that you live in {city}.",
    answer="You live in {city}.",
    unknown="You have not told me where you live yet.",
    weight=1.0,
)
AGE = Topic(
    key="age",
    draw=lambda rng, words: {"age": str(rng.randint(3, 99))},
    tells=("I am {age} years old.", "I'm {age} years old.", "My age is {age}.", "I am {age}.", "I'm {age}."),
    corrections=("No, I am {age} years old.", "Actually, I am {age} years old.", "Sorry, I'm {age} years old."),
    asks=(
        "How old am I?", "What is my age?", "Do you remember my age?", "What's my age?", "Tell me my age.",
        "Do you remember how old I am?",
    ),
    acknowledgement="I will remember that you are {age} years old.",
    answer="You are {age} years old.",
    unknown="You have not told me your age yet.",
    weight=1.0,
)
WORD = Topic(
    key="word",
    draw=lambda rng, words: {"word": words.word(rng)},
    tells=(
        "Remember the word {word}.", "The secret word is {word}.", "The word is {word}.", "My word is {word}.",
        "Please remember the word {word}.", "The password is {word}.", "Remember this word: {word}.",
        "Remember: {word}", "The code word is {word}.", "Keep the word {word} in mind.", "My secret is {word}.",
    ),
    corrections=("No, the word is {word}.", "The new word is {word}.", "Actually, the secret word is {word}."),
    asks=(
        "What is the secret word?", "What was the word?", "Which word did I tell you?", "What is the word?",
        "What word did I ask you to remember?", "Do you remember the word?", "What is the password?",
        "Tell me the word.", "What's the secret word?", "What was the code word?", "What did I ask you to remember?",
    ),
    acknowledgement="I will remember the word {word}.",
    answer="The word is {word}.",
    unknown="You have not told me a word yet.",
    weight=1.0,
)
NUMBER = Topic(
    key="number",
    draw=lambda rng, words: {"number": str(rng.randint(0, 10 ** rng.randint(1, 4)))},
    tells=(
        "Remember the number {number}.", "The number is {number}.", "My lucky number is {number}.",
        "My number is {number}.", "Remember this number: {number}", "Please remember the number {number}.",
        "My favourite number is {number}.", "The secret number is {number}.",
    ),
    corrections=("No, the number is {number}.", "The new number is {number}.", "Actually, my number is {number}."),
    asks=(
        "What is the number?", "What was the number?", "Which number did I tell you?", "What is my number?",
        "What number did I tell you?", "Do you remember the number?", "What is my lucky number?",
        "What number did I ask you to remember?", "What is my favourite number?", "What is the secret number?",
    ),
    acknowledgement="I will remember the number {number}.",
    answer="The number is {number}.",
    unknown="You have not told me a number yet.",
    weight=0.8,
)


def _relation_topic(relation: str) -> Topic:
    return Topic(
        key=relation,
        draw=lambda rng, words: {"who": words.name(rng)},
        tells=(
            f"My {relation} is called {{who}}.", f"My {relation}'s name is {{who}}.", f"I have a {relation}, {{who}}.",
            f"My {relation} is {{who}}.", f"{{who}} is my {relation}.", f"I have a {relation} named {{who}}.",
        ),
        corrections=(f"No, my {relation} is called {{who}}.", f"Actually, my {relation}'s name is {{who}}."),
        asks=(
            f"What is my {relation} called?", f"What is my {relation}'s name?", f"Who is my {relation}?",
            f"What's the name of my {relation}?", f"Do you remember my {relation}'s name?",
        ),
        acknowledgement=f"I will remember that your {relation} is called {{who}}.",
        answer=f"Your {relation} is called {{who}}.",
        unknown=f"You have not told me the name of your {relation} yet.",
        weight=1.2 / len(RELATIONS),
    )


TOPICS = (NAME, COLOUR, PET, FOOD, CITY, AGE, WORD, NUMBER, *(_relation_topic(relation) for relation in RELATIONS))
