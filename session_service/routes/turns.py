"""Routes about turns; OpenAI's responses are turns outside every conversation, or in one."""

from fastapi import APIRouter

from session_service import turns
from session_service.routes.dependencies import (
    InTransaction,
    OldestFirst,
    OptionalTenantId,
    PartsOfApp,
    SettledTurn,
    TenantId,
)
from shared.bodies.sessions import DeletedBody
from shared.bodies.stored_messages import StoredMessageListBody
from shared.bodies.stored_turns import TurnBody
from shared.bodies.turns import BeginTurnBody, BegunTurnBody

router = APIRouter(prefix="/internal/turns")


@router.post("")
async def begin(body: BeginTurnBody, parts: PartsOfApp) -> BegunTurnBody:
    return await parts.admission.begin(body)


@router.post("/{turn_id}/abort", status_code=204)
async def abort(turn_id: str, tx: InTransaction, tenant_id: OptionalTenantId = None) -> None:
    await turns.abort_turn(tx, turn_id, tenant_id)


@router.get("/{turn_id}", dependencies=[SettledTurn])
async def get(turn_id: str, tenant_id: TenantId, tx: InTransaction) -> TurnBody:
    return await turns.get_turn(tx, tenant_id, turn_id)


@router.delete("/{turn_id}")
async def delete(turn_id: str, tenant_id: TenantId, tx: InTransaction) -> DeletedBody:
    return await turns.delete_turn(tx, tenant_id, turn_id)


@router.get("/{turn_id}/inputs")
async def list_inputs(turn_id: str, tenant_id: TenantId, tx: InTransaction, page: OldestFirst) -> StoredMessageListBody:
    return await turns.list_inputs(tx, tenant_id, turn_id, page)
