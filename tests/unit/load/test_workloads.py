import random
from collections import Counter

import pytest

from tests.load.workloads import Asking, Mix


def test_workloads_come_as_often_as_their_weights_say() -> None:
    mix = Mix.parse("chat=8,session=1.5,embeddings=0.5")
    chance = random.Random(1)

    drawn = Counter(mix.draw(chance) for _ in range(5000))

    assert drawn["chat"] / 5000 == pytest.approx(0.8, abs=0.03)
    assert drawn["embeddings"] / 5000 == pytest.approx(0.05, abs=0.02)


def test_a_workload_without_a_weight_has_one() -> None:
    assert Mix.parse("chat, embeddings").weights == {"chat": 1.0, "embeddings": 1.0}


@pytest.mark.parametrize("words", ["", "talk=1", "chat=-1,session=2", "chat=0", "chat=much"])
def test_a_mix_that_means_nothing_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Mix.parse(words)


def test_the_same_seed_asks_the_same() -> None:
    asking = Asking("m", "e", max_tokens=9, ignores_eos=True)

    first, second = (asking.chat(random.Random(3), "sess_1") for _ in range(2))

    assert first == second
    assert (first["session_id"], first["max_tokens"], first["ignore_eos"]) == ("sess_1", 9, True)


def test_other_servers_are_sent_openai_s_fields_only() -> None:
    body = Asking("m", "e", max_tokens=9, ignores_eos=False).chat(random.Random(3))

    assert set(body) == {"model", "messages", "max_tokens", "seed", "stream", "stream_options"}
