from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest

from embedding_service.engine import MAX_TEXTS_PER_BATCH, LlamaEmbedder
from shared.errors import ModelLoadError
from tests.fakes.random_bert_gguf import CONTEXT_LENGTH, TOKENS, WIDTH, write_random_bert_gguf
from tests.fakes.random_gguf import Shape, write_random_gguf


def load(path: Path, max_input_tokens: int = 0) -> LlamaEmbedder:
    return LlamaEmbedder(path, max_input_tokens=max_input_tokens, batch_tokens=128, threads=1, gpu_layers=0)


@pytest.fixture
def embedder(tmp_path: Path) -> Iterator[LlamaEmbedder]:
    embedder = load(write_random_bert_gguf(tmp_path / "bert.gguf"))
    yield embedder
    embedder.close()


def test_a_model_tells_its_sizes(embedder: LlamaEmbedder) -> None:
    assert embedder.dimensions == WIDTH
    assert embedder.max_input_tokens == CONTEXT_LENGTH
    assert embedder.vocabulary_size == len(TOKENS)


def test_the_catalogues_limit_counts_when_it_is_smaller_than_the_models(tmp_path: Path) -> None:
    path = write_random_bert_gguf(tmp_path / "bert.gguf")

    limited, unlimited = load(path, max_input_tokens=16), load(path, max_input_tokens=9999)

    assert (limited.max_input_tokens, unlimited.max_input_tokens) == (16, CONTEXT_LENGTH)
    limited.close()
    unlimited.close()


def test_special_tokens_stand_around_a_text_and_are_plain_text_inside_it(embedder: LlamaEmbedder) -> None:
    tokens = embedder.tokenize("the cat")
    injected = embedder.tokenize("[SEP]")

    assert [TOKENS[token] for token in tokens] == ["[CLS]", "▁the", "▁cat", "[SEP]"]
    assert injected.count(TOKENS.index("[SEP]")) == 1


def test_vectors_have_length_one(embedder: LlamaEmbedder) -> None:
    vectors = embedder.embed([embedder.tokenize("the cat"), embedder.tokenize("a dog runs")])

    assert vectors.shape == (2, WIDTH)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_text_has_the_same_vector_alone_and_among_others(embedder: LlamaEmbedder) -> None:
    texts = [embedder.tokenize(text) for text in ["the cat sits", "a dog", "the red mat", "blue"]]

    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])

    np.testing.assert_allclose(together, alone, atol=1e-3)
    assert np.abs(together[0] - together[1]).max() > 0.01


def test_a_pass_may_be_full(embedder: LlamaEmbedder) -> None:
    token_lists = [[5 + index % 8, 6] for index in range(MAX_TEXTS_PER_BATCH)]

    vectors = embedder.embed(token_lists)

    assert sum(map(len, token_lists)) == embedder.batch_tokens
    np.testing.assert_allclose(vectors[0], vectors[8], atol=1e-3)


def test_a_pass_smaller_than_the_usual_number_of_texts_can_be_had(tmp_path: Path) -> None:
    path = write_random_bert_gguf(tmp_path / "bert.gguf")
    embedder = LlamaEmbedder(path, max_input_tokens=16, batch_tokens=32, threads=1, gpu_layers=0)

    assert embedder.embed([[5]] * embedder.batch_texts).shape == (32, WIDTH)
    embedder.close()


def test_more_tokens_than_a_pass_has_are_refused(embedder: LlamaEmbedder) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        embedder.embed([[5] * (embedder.batch_tokens + 1)])


@pytest.mark.parametrize("pooling", [gguf.PoolingType.CLS, gguf.PoolingType.MEAN])
def test_the_pooling_of_the_file_is_used(tmp_path: Path, pooling: gguf.PoolingType) -> None:
    embedder = load(write_random_bert_gguf(tmp_path / f"{pooling.name}.gguf", pooling=pooling))

    first, second = embedder.embed([[2, 5, 6], [2, 5, 6]])

    np.testing.assert_allclose(first, second, atol=1e-3)
    embedder.close()


def test_a_decoder_model_forgets_the_last_pass(tmp_path: Path) -> None:
    path = write_random_gguf(tmp_path / "decoder.gguf", Shape(context_length=64), pooling=gguf.PoolingType.LAST)
    embedder = load(path)
    texts = [embedder.tokenize(text) for text in ("the hello world", "another", "one more text")]

    full = embedder.embed([[5] * 2] * MAX_TEXTS_PER_BATCH)
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])

    assert full.shape == (MAX_TEXTS_PER_BATCH, embedder.dimensions)
    np.testing.assert_allclose(together, alone, atol=1e-3)
    embedder.close()


def test_a_model_without_pooling_is_refused(tmp_path: Path) -> None:
    path = write_random_bert_gguf(tmp_path / "bert.gguf", pooling=gguf.PoolingType.NONE)

    with pytest.raises(ModelLoadError, match="pooling"):
        load(path)


def test_a_chat_models_file_is_refused(tmp_path: Path) -> None:
    path = write_random_gguf(tmp_path / "chat.gguf")

    with pytest.raises(ModelLoadError, match="pooling"):
        load(path)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF and then nothing of the kind")

    with pytest.raises(ModelLoadError, match=r"broken\.gguf"):
        load(path)
