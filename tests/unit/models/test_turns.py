import random

from models.tiny.turns import render


def test_the_slots_come_back_as_they_were_typed() -> None:
    for seed in range(300):
        text, typed = render(random.Random(seed), "My name is {name}.", {"name": "Mia"})

        assert typed["name"] in text


def test_people_do_not_always_type_tidily() -> None:
    typed = {render(random.Random(seed), "What's the capital of Peru?", {})[0] for seed in range(2000)}

    assert {"What's the capital of Peru?", "whats the capital of peru", "What's the capital of Peru"} <= typed
