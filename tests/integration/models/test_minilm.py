"""Compares the converted all-MiniLM-L6-v2 with vectors that PyTorch computed from the same weights."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llama_cpp import Llama

MODEL = Path(__file__).parents[3] / "models" / "all-minilm-l6-v2.gguf"
REFERENCE = json.loads((Path(__file__).parent / "minilm_reference.json").read_text(encoding="utf-8"))["sentences"]


@pytest.fixture(scope="module")
def minilm() -> Llama:
    if not MODEL.exists() and not os.environ.get("CI"):
        pytest.skip("no models/all-minilm-l6-v2.gguf: run `python -m models.minilm.build`")
    return Llama(str(MODEL), embedding=True, n_ctx=512, n_batch=512, n_ubatch=512, n_threads=1, verbose=False)


@pytest.mark.parametrize("sentence", REFERENCE, ids=lambda sentence: sentence["text"][:20])
def test_a_sentence_gets_the_vector_that_pytorch_computed(minilm: Llama, sentence: dict[str, Any]) -> None:
    expected = np.array(sentence["vector"])

    vector = np.array(minilm.embed(sentence["text"], normalize=True))

    assert vector.shape == (384,)
    assert float(vector @ expected) > 0.999


@pytest.mark.parametrize("sentence", REFERENCE, ids=lambda sentence: sentence["text"][:20])
def test_a_sentence_is_cut_into_the_same_tokens_as_berts_own_tokenizer_cuts(
    minilm: Llama, sentence: dict[str, Any]
) -> None:
    tokens = minilm.tokenize(sentence["text"].encode(), add_bos=True, special=False)

    assert tokens == sentence["tokens"]


def test_the_vectors_are_means_over_the_tokens(minilm: Llama) -> None:
    assert minilm.metadata["bert.pooling_type"] == "1"
