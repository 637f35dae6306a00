"""GET /v1/models, and /v1/engines as it was once called."""

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from gateway.bodies.models import ModelBody, ModelListBody
from gateway.routes.answers import answers
from gateway.routes.dependencies import GatewayParts, WhoCalls

router = APIRouter(tags=["models"])

EXAMPLE = {
    "id": "drover-tiny",
    "object": "model",
    "created": 1763596800,
    "owned_by": "drover",
    "kind": "chat",
    "context_length": 512,
    "description": "A small chat model.",
}


@router.get(
    "/v1/models",
    summary="List the models",
    responses=answers({"object": "list", "data": [EXAMPLE]}),
)
async def list_models(gateway: GatewayParts, _identity: WhoCalls) -> ModelListBody:
    """Every model that can be asked for, whether a worker holds it now or not."""
    return ModelListBody(data=[ModelBody.of(entry) for entry in gateway.catalogue.all()])


@router.get(
    "/v1/models/{model:path}",
    summary="Describe one model",
    responses=answers(EXAMPLE),
)
async def get_model(model: str, gateway: GatewayParts, _identity: WhoCalls) -> ModelBody:
    """By the name that requests ask for it with. 404 for one that the catalogue does not have."""
    return ModelBody.of(gateway.catalogue.get(model))


@router.get("/v1/engines", include_in_schema=False)
async def list_engines() -> RedirectResponse:
    return RedirectResponse("/v1/models", status_code=308)


@router.get("/v1/engines/{model:path}", include_in_schema=False)
async def get_engine(model: str) -> RedirectResponse:
    return RedirectResponse(f"/v1/models/{model}", status_code=308)
