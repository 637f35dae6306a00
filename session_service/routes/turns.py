"""Routes about turns."""

from fastapi import APIRouter

from session_service.routes.dependencies import InTransaction, PartsOfApp
from session_service.turns import abort_turn, begin_turn
from shared.bodies.turns import BeginTurnBody, BegunTurnBody

router = APIRouter(prefix="/internal/turns")


@router.post("")
async def begin(body: BeginTurnBody, tx: InTransaction, parts: PartsOfApp) -> BegunTurnBody:
    return await begin_turn(tx, body, parts.counter)


@router.post("/{turn_id}/abort", status_code=204)
async def abort(turn_id: str, tx: InTransaction) -> None:
    await abort_turn(tx, turn_id)
