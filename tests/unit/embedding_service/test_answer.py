import base64
from typing import Literal

import numpy as np
import pytest

from embedding_service.answer import answer
from shared.bodies.embeddings import EmbeddingsResponseBody

VECTORS = np.array([[0.1, -0.25], [1e-9, 1.0]], np.float32)


@pytest.mark.parametrize("encoding_format", ["float", "base64"])
def test_the_answer_is_openais(encoding_format: Literal["float", "base64"]) -> None:
    body = EmbeddingsResponseBody.model_validate_json(
        answer(VECTORS, model="m", encoding_format=encoding_format, tokens=7)
    )

    assert (body.object, body.model) == ("list", "m")
    assert [item.index for item in body.data] == [0, 1]
    assert (body.usage.prompt_tokens, body.usage.total_tokens) == (7, 7)


def test_floats_are_written_without_a_loss() -> None:
    body = EmbeddingsResponseBody.model_validate_json(answer(VECTORS, model="m", encoding_format="float", tokens=1))

    assert np.array_equal(np.array([item.embedding for item in body.data], np.float32), VECTORS)


def test_base64_is_little_endian_float32() -> None:
    body = EmbeddingsResponseBody.model_validate_json(answer(VECTORS, model="m", encoding_format="base64", tokens=1))

    decoded = [np.frombuffer(base64.b64decode(str(item.embedding)), "<f4") for item in body.data]
    assert np.array_equal(decoded, VECTORS)
