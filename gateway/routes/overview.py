"""GET / and /health: what this is and how it is doing."""

from typing import Any

from fastapi import APIRouter

from gateway.routes.answers import answers
from gateway.routes.dependencies import GatewayParts
from gateway.version import VERSION

router = APIRouter(tags=["operations"])

EXAMPLE = {
    "status": "healthy",
    "uptime_seconds": 3600,
    "total_requests": 1234,
    "memory_usage_mb": 90,
    "workers": [
        {
            "id": "worker-1",
            "engine": "llama",
            "held_models": ["drover-tiny"],
            "slots": 16,
            "busy_slots": 3,
            "free_bytes": 8589934592,
            "is_draining": False,
        }
    ],
    "models": ["drover-tiny"],
}


@router.get(
    "/",
    summary="Name the product",
    responses=answers({"name": "Drover", "version": "0.1.0"}),
)
async def overview() -> dict[str, Any]:
    """And where the rest is. Needs no key."""
    return {
        "name": "Drover",
        "version": VERSION,
        "description": "Serves llama.cpp models to many users at once.",
        "api": "/v1",
        "docs": "/docs",
        "openapi": "/openapi.json",
        "health": "/health",
    }


@router.get(
    "/health",
    summary="Report how the platform is doing",
    responses=answers(EXAMPLE),
)
async def health(gateway: GatewayParts) -> dict[str, Any]:
    """Always 200 while the gateway lives; /readyz is the one that says whether requests can be answered."""
    return await gateway.health.report()
