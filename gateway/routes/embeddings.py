"""POST /v1/embeddings."""

from fastapi import APIRouter, Response

from gateway.auth import require_writer
from gateway.routes.answers import answers
from gateway.routes.dependencies import GatewayParts, WhoCalls
from gateway.routes.json_route import JsonRoute
from shared.bodies.embeddings import EmbeddingsBody, EmbeddingsResponseBody

router = APIRouter(tags=["embeddings"], route_class=JsonRoute)

EXAMPLE = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.021, -0.043]}],
    "model": "all-minilm-l6-v2",
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}


@router.post(
    "/v1/embeddings",
    summary="Turn texts into vectors",
    response_class=Response,
    responses=answers(EXAMPLE, model=EmbeddingsResponseBody),
)
async def create_embeddings(body: EmbeddingsBody, gateway: GatewayParts, identity: WhoCalls) -> Response:
    """OpenAI's embeddings: one text, several texts, or token ids."""
    require_writer(identity)
    answer = await gateway.embeddings.embed(body)
    return Response(answer.content, media_type="application/json")
