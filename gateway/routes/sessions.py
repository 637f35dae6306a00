"""/v1/sessions: passed on to the session service in the caller's name."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Response
from httpx import Response as Answer

from gateway.auth import require_writer
from gateway.routes.dependencies import GatewayParts, WhoCalls
from gateway.routes.json_route import JsonRoute
from shared.bodies.sessions import (
    CreateSessionBody,
    DeletedBody,
    SessionBody,
    SessionListBody,
)
from shared.bodies.stored_messages import StoredMessageListBody

router = APIRouter(tags=["sessions"], route_class=JsonRoute)

SessionId = Annotated[str, Path(max_length=128)]

SESSION = {
    "id": "sess_0198c0de",
    "object": "session",
    "created_at": 1763596800,
    "updated_at": 1763596800,
    "title": "A talk",
    "metadata": {},
    "message_count": 0,
}
MESSAGE = {
    "id": "msg_0198c0de",
    "object": "session.message",
    "created_at": 1763596800,
    "turn_id": "0198c0de",
    "role": "user",
    "content": "Hello",
    "tokens": 5,
    "finish_reason": None,
    "status": "completed",
}


def _page(
    limit: Annotated[int | None, Query(ge=1, le=100)] = None,
    after: Annotated[str | None, Query(max_length=128, description="`last_id` of the page before")] = None,
) -> dict[str, str]:
    return {name: str(value) for name, value in (("limit", limit), ("after", after)) if value is not None}


Page = Annotated[dict[str, str], Depends(_page)]


def _described(model: type[Any], example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "content": {"application/json": {"example": example}}}}


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": [row], "first_id": row["id"], "last_id": row["id"], "has_more": False}


def _passed_on(answer: Answer) -> Response:
    return Response(answer.content, status_code=answer.status_code, media_type="application/json")


@router.post(
    "/v1/sessions",
    summary="Open a conversation that Drover remembers",
    response_class=Response,
    responses=_described(SessionBody, SESSION),
)
async def create_session(body: CreateSessionBody, gateway: GatewayParts, identity: WhoCalls) -> Response:
    """Its id goes into `session_id` of chat completions, which then take the new messages only."""
    require_writer(identity)
    return _passed_on(await gateway.sessions.sessions("POST", "", identity.tenant_id, body=body))


@router.get(
    "/v1/sessions",
    summary="List conversations, newest first",
    response_class=Response,
    responses=_described(SessionListBody, _listed(SESSION)),
)
async def list_sessions(gateway: GatewayParts, identity: WhoCalls, page: Page) -> Response:
    return _passed_on(await gateway.sessions.sessions("GET", "", identity.tenant_id, params=page))


@router.get(
    "/v1/sessions/{session_id}",
    summary="Describe a conversation",
    response_class=Response,
    responses=_described(SessionBody, SESSION),
)
async def get_session(session_id: SessionId, gateway: GatewayParts, identity: WhoCalls) -> Response:
    return _passed_on(await gateway.sessions.sessions("GET", _at(session_id), identity.tenant_id))


@router.delete(
    "/v1/sessions/{session_id}",
    summary="Delete a conversation and its messages",
    response_class=Response,
    responses=_described(DeletedBody, {"id": "sess_0198c0de", "object": "session.deleted", "deleted": True}),
)
async def delete_session(session_id: SessionId, gateway: GatewayParts, identity: WhoCalls) -> Response:
    require_writer(identity)
    return _passed_on(await gateway.sessions.sessions("DELETE", _at(session_id), identity.tenant_id))


@router.get(
    "/v1/sessions/{session_id}/messages",
    summary="List a conversation's messages, oldest first",
    response_class=Response,
    responses=_described(StoredMessageListBody, _listed(MESSAGE)),
)
async def list_messages(session_id: SessionId, gateway: GatewayParts, identity: WhoCalls, page: Page) -> Response:
    path = f"{_at(session_id)}/messages"
    return _passed_on(await gateway.sessions.sessions("GET", path, identity.tenant_id, params=page))


def _at(session_id: str) -> str:
    return f"/{quote(session_id, safe='')}"
