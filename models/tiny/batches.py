"""Groups encoded dialogues of like length into batches of about the same number of tokens."""

import random
from collections.abc import Iterator
from itertools import islice

from tokenizers import Tokenizer

from models.tiny.dialogues import dialogues
from models.tiny.tokenizer import Encoded, encode_dialogue

POOL = 384  # dialogues sorted by length at a time: enough that little is padding


def encoded_dialogues(tokenizer: Tokenizer, seed: int, longest: int) -> Iterator[Encoded]:
    """Training dialogues without end, those with nothing to learn left out."""
    for dialogue in dialogues(seed, "train"):
        encoded = encode_dialogue(tokenizer, dialogue, longest)
        if any(encoded.is_answer):
            yield encoded


def batches(tokenizer: Tokenizer, seed: int, longest: int, batch_tokens: int) -> Iterator[list[Encoded]]:
    """Lists of dialogues, padded to the longest of which they hold at most `batch_tokens` tokens."""
    rng = random.Random(seed)
    source = encoded_dialogues(tokenizer, seed, longest)
    while True:
        pool = sorted(islice(source, POOL), key=lambda encoded: len(encoded.ids))
        groups: list[list[Encoded]] = [[]]
        for encoded in pool:
            if (len(groups[-1]) + 1) * len(encoded.ids) > batch_tokens:
                groups.append([])
            groups[-1].append(encoded)
        rng.shuffle(groups)
        yield from groups
