"""POST /internal/embeddings."""

import asyncio

from fastapi import APIRouter, Depends, Response
from pydantic import SecretStr

from embedding_service.answer import answer
from embedding_service.inputs import token_lists
from embedding_service.model_shelf import ModelShelf
from shared.bodies.embeddings import EmbeddingsBody, EmbeddingsResponseBody
from shared.errors import BadRequestError
from shared.http import require_internal_token
from shared.telemetry import traces


def embeddings_router(shelf: ModelShelf, internal_token: SecretStr) -> APIRouter:
    """The service's one route, for callers that show the internal token."""
    router = APIRouter(dependencies=[Depends(require_internal_token(internal_token))])

    @router.post("/internal/embeddings", response_model=EmbeddingsResponseBody)
    async def create_embeddings(body: EmbeddingsBody) -> Response:
        served = await shelf.get(body.model)
        _check_dimensions(body.dimensions, served.embedder.dimensions)
        lists = await asyncio.to_thread(token_lists, body, served.embedder)
        tokens = sum(map(len, lists))
        with traces.span(f"embeddings {body.model}", attributes=_attributes(body.model, tokens)):
            vectors = await asyncio.wrap_future(served.batcher.submit(lists))
        content = await asyncio.to_thread(
            answer, vectors, model=body.model, encoding_format=body.encoding_format or "float", tokens=tokens
        )
        return Response(content, media_type="application/json")

    return router


def _attributes(model: str, tokens: int) -> traces.Attributes:
    return {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": traces.PROVIDER,
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": tokens,
    }


def _check_dimensions(wanted: int | None, dimensions: int) -> None:
    if wanted not in (None, dimensions):
        raise BadRequestError(f"This model makes vectors of {dimensions} numbers only.", param="dimensions")
