"""Routes about API keys."""

from fastapi import APIRouter

from session_service.keys import verify_key
from session_service.routes.dependencies import InTransaction, PartsOfApp
from shared.bodies.keys import Identity, VerifyKeyBody

router = APIRouter(prefix="/internal/keys")


@router.post("/verify")
async def verify(body: VerifyKeyBody, tx: InTransaction, parts: PartsOfApp) -> Identity:
    return await verify_key(tx, body.api_key, parts.settings)
