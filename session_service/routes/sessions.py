"""Routes about stored conversations; the gateway passes /v1/sessions on to them."""

from typing import Annotated

from fastapi import APIRouter, Query

from session_service import sessions
from session_service.routes.dependencies import InTransaction, TenantId
from shared.bodies.sessions import (
    CreateSessionBody,
    DeletedBody,
    SessionBody,
    SessionListBody,
    StoredMessageListBody,
)

router = APIRouter(prefix="/internal/sessions")

After = Annotated[str | None, Query(description="the last id of the page before")]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.post("")
async def create(body: CreateSessionBody, tenant_id: TenantId, tx: InTransaction) -> SessionBody:
    return await sessions.create_session(tx, tenant_id, body)


@router.get("")
async def list_all(tenant_id: TenantId, tx: InTransaction, after: After = None, limit: Limit = 20) -> SessionListBody:
    return await sessions.list_sessions(tx, tenant_id, after, limit)


@router.get("/{session_id}")
async def get(session_id: str, tenant_id: TenantId, tx: InTransaction) -> SessionBody:
    return await sessions.get_session(tx, tenant_id, session_id)


@router.delete("/{session_id}")
async def delete(session_id: str, tenant_id: TenantId, tx: InTransaction) -> DeletedBody:
    return await sessions.delete_session(tx, tenant_id, session_id)


@router.get("/{session_id}/messages")
async def list_messages(
    session_id: str, tenant_id: TenantId, tx: InTransaction, after: After = None, limit: Limit = 50
) -> StoredMessageListBody:
    return await sessions.list_messages(tx, tenant_id, session_id, after, limit)
