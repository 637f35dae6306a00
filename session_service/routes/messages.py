"""Routes about the messages of a stored conversation."""

from fastapi import APIRouter

from session_service import messages
from session_service.routes.dependencies import InTransaction, OldestFirst, SettledSession, TenantId
from shared.bodies.sessions import DeletedBody
from shared.bodies.stored_messages import AppendMessagesBody, StoredMessageBody, StoredMessageListBody

router = APIRouter(prefix="/internal/sessions/{session_id}/messages", dependencies=[SettledSession])


@router.get("")
async def list_all(session_id: str, tenant_id: TenantId, tx: InTransaction, page: OldestFirst) -> StoredMessageListBody:
    return await messages.list_messages(tx, tenant_id, session_id, page)


@router.post("")
async def append(
    session_id: str, body: AppendMessagesBody, tenant_id: TenantId, tx: InTransaction
) -> StoredMessageListBody:
    return await messages.append_messages(tx, tenant_id, session_id, body.messages)


@router.get("/{message_id}")
async def get(session_id: str, message_id: str, tenant_id: TenantId, tx: InTransaction) -> StoredMessageBody:
    return await messages.get_message(tx, tenant_id, session_id, message_id)


@router.delete("/{message_id}")
async def delete(session_id: str, message_id: str, tenant_id: TenantId, tx: InTransaction) -> DeletedBody:
    return await messages.delete_message(tx, tenant_id, session_id, message_id)
