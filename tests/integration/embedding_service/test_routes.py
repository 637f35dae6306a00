import asyncio
import base64
import struct
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from shared.bodies.embeddings import EmbeddingsResponseBody
from tests.fakes.random_bert_gguf import WIDTH
from tests.fakes.span_memory import remembered_spans

pytestmark = pytest.mark.usefixtures("model_file")


async def embed(client: httpx.AsyncClient, given: Any, **fields: Any) -> httpx.Response:
    return await client.post("/internal/embeddings", json={"model": "random-bert", "input": given, **fields})


async def test_a_text_becomes_one_vector(client: httpx.AsyncClient) -> None:
    response = await embed(client, "the cat")

    body = EmbeddingsResponseBody.model_validate(response.json())
    assert [(item.index, len(item.embedding)) for item in body.data] == [(0, WIDTH)]
    assert body.model == "random-bert"
    assert body.usage.prompt_tokens == body.usage.total_tokens == 4


async def test_texts_become_vectors_in_their_order(client: httpx.AsyncClient) -> None:
    texts = ["the cat", "a dog runs", "blue"]

    together = (await embed(client, texts)).json()["data"]
    alone = [(await embed(client, text)).json()["data"][0]["embedding"] for text in texts]

    assert [item["index"] for item in together] == [0, 1, 2]
    np.testing.assert_allclose([item["embedding"] for item in together], alone, atol=1e-3)


async def test_token_ids_are_taken_as_they_are(client: httpx.AsyncClient) -> None:
    text = (await embed(client, "the cat")).json()
    ids = (await embed(client, [2, 5, 6, 3])).json()
    lists = (await embed(client, [[2, 5, 6, 3], [5]])).json()

    np.testing.assert_allclose(ids["data"][0]["embedding"], text["data"][0]["embedding"], atol=1e-3)
    assert len(ids["data"]) == 1
    assert len(lists["data"]) == 2
    assert lists["usage"]["prompt_tokens"] == 5


async def test_base64_holds_the_same_floats(client: httpx.AsyncClient) -> None:
    floats = (await embed(client, "the cat")).json()["data"][0]["embedding"]
    encoded = (await embed(client, "the cat", encoding_format="base64")).json()["data"][0]["embedding"]

    np.testing.assert_allclose(struct.unpack(f"<{WIDTH}f", base64.b64decode(encoded)), floats, atol=1e-3)


async def test_the_models_own_dimensions_may_be_asked_for(client: httpx.AsyncClient) -> None:
    right = await embed(client, "the cat", dimensions=WIDTH)
    wrong = await embed(client, "the cat", dimensions=WIDTH // 2)

    assert right.status_code == 200
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "dimensions")


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("", "input"),
        ([], "input"),
        (["the cat", ""], "input.1"),
        ([[5], []], "input.1"),
        ([5, 99_999], "input"),
        ([[5], [-1]], "input.1"),
        (None, "input"),
        (7, "input"),
        ({"text": "the cat"}, "input"),
    ],
)
async def test_an_input_that_cannot_be_used_is_named(client: httpx.AsyncClient, given: Any, param: str) -> None:
    response = await embed(client, given)

    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


async def test_an_input_that_is_too_long_is_named_with_its_numbers(client: httpx.AsyncClient) -> None:
    response = await embed(client, ["the cat", "the " * 20])

    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["code"], error["param"]) == ("context_length_exceeded", "input.1")
    assert "22 tokens" in error["message"]
    assert "16" in error["message"]


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [("nobody", 404, "model_not_found"), ("some-chat", 400, "invalid_request_error")],
)
async def test_a_model_that_cannot_embed_is_refused(
    client: httpx.AsyncClient, model: str, status: int, code: str
) -> None:
    response = await client.post("/internal/embeddings", json={"model": model, "input": "the cat"})

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.json()["error"]["param"] == "model"


async def test_without_the_internal_token_nothing_is_answered(client: httpx.AsyncClient) -> None:
    response = await client.post("/internal/embeddings", json={}, headers={"Authorization": "Bearer guess"})

    assert (response.status_code, response.json()["error"]["code"]) == (403, "permission_denied")


async def test_many_requests_at_once_each_get_their_own_vectors(client: httpx.AsyncClient) -> None:
    texts = [f"the {colour} {animal}" for colour in ("red", "blue") for animal in ("cat", "dog", "mat")] * 10
    expected = {text: (await embed(client, text)).json()["data"][0]["embedding"] for text in set(texts)}

    responses = await asyncio.gather(*(embed(client, [text, "a mat"]) for text in texts))

    for text, response in zip(texts, responses, strict=True):
        np.testing.assert_allclose(response.json()["data"][0]["embedding"], expected[text], atol=1e-3)


async def test_the_largest_request_is_answered(client: httpx.AsyncClient, model_file: Path) -> None:
    response = await embed(client, ["a cat"] * 2048)

    assert len(response.json()["data"]) == 2048
    assert response.json()["usage"]["total_tokens"] == 4 * 2048


async def test_one_text_more_than_the_largest_request_is_refused(client: httpx.AsyncClient) -> None:
    response = await embed(client, ["a cat"] * 2049)

    assert (response.status_code, response.json()["error"]["param"]) == (400, "input")


async def test_a_call_leaves_a_span_without_its_text(client: httpx.AsyncClient) -> None:
    with remembered_spans() as memory:
        await embed(client, "the cat")

    done = memory.one("embeddings random-bert")
    assert memory.parent_of(done.name) == "POST /internal/embeddings"
    assert (done.attributes["gen_ai.operation.name"], done.attributes["gen_ai.usage.input_tokens"]) == ("embeddings", 4)
    assert "cat" not in "".join(span.to_json() for span in memory.spans)
