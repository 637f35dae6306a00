"""Routes about stored conversations; the gateway passes /v1/sessions on to them."""

from fastapi import APIRouter

from session_service import forks, sessions, turns
from session_service.routes.dependencies import InTransaction, NewestFirst, OldestFirst, SettledSession, TenantId
from shared.bodies.sessions import (
    DeletedBody,
    ForkSessionBody,
    OpenSessionBody,
    SessionBody,
    SessionListBody,
    UpdateSessionBody,
)
from shared.bodies.stored_turns import TurnListBody

router = APIRouter(prefix="/internal/sessions")


@router.post("")
async def create(body: OpenSessionBody, tenant_id: TenantId, tx: InTransaction) -> SessionBody:
    return await sessions.create_session(tx, tenant_id, body)


@router.get("")
async def list_all(tenant_id: TenantId, tx: InTransaction, page: NewestFirst) -> SessionListBody:
    return await sessions.list_sessions(tx, tenant_id, page)


@router.get("/{session_id}")
async def get(session_id: str, tenant_id: TenantId, tx: InTransaction) -> SessionBody:
    return await sessions.get_session(tx, tenant_id, session_id)


@router.patch("/{session_id}")
async def update(session_id: str, body: UpdateSessionBody, tenant_id: TenantId, tx: InTransaction) -> SessionBody:
    return await sessions.update_session(tx, tenant_id, session_id, body)


@router.delete("/{session_id}")
async def delete(session_id: str, tenant_id: TenantId, tx: InTransaction) -> DeletedBody:
    return await sessions.delete_session(tx, tenant_id, session_id)


@router.post("/{session_id}/fork", dependencies=[SettledSession])
async def fork(session_id: str, body: ForkSessionBody, tenant_id: TenantId, tx: InTransaction) -> SessionBody:
    return await forks.fork_session(tx, tenant_id, session_id, body)


@router.get("/{session_id}/turns", dependencies=[SettledSession])
async def list_turns(session_id: str, tenant_id: TenantId, tx: InTransaction, page: OldestFirst) -> TurnListBody:
    return await turns.list_turns(tx, tenant_id, session_id, page)
