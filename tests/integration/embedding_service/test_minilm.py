"""With the real model: what the vectors mean."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedding_service.engine import LlamaEmbedder

PATH = Path("models/all-minilm-l6-v2.gguf")


@pytest.fixture(scope="module")
def minilm() -> Iterator[LlamaEmbedder]:
    if not PATH.is_file():
        if os.environ.get("CI"):
            pytest.fail(f"{PATH} is missing: run `make models`.")
        pytest.skip(f"{PATH} is missing: run `make models`.")
    embedder = LlamaEmbedder(PATH, max_input_tokens=256, batch_tokens=512, threads=2, gpu_layers=0)
    yield embedder
    embedder.close()


@pytest.mark.parametrize(
    ("sentence", "similar", "unrelated"),
    [
        ("The cat sleeps on the sofa.", "A kitten is napping on the couch.", "The bank raised its interest rates."),
        ("How do I reset my password?", "I forgot my login credentials.", "The soup needs more salt."),
        ("It will rain in Paris tomorrow.", "Wet weather is forecast for the French capital.", "He plays the violin."),
    ],
)
def test_similar_sentences_are_closer_than_unrelated_ones(
    minilm: LlamaEmbedder, sentence: str, similar: str, unrelated: str
) -> None:
    vectors = minilm.embed([minilm.tokenize(text) for text in (sentence, similar, unrelated)])

    to_similar, to_unrelated = float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])

    assert to_similar > to_unrelated + 0.2
    assert vectors.shape == (3, 384)
