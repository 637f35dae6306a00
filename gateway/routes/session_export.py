"""GET /v1/sessions/{id}/export: a whole conversation as JSON lines, read page by page while it is sent."""

from collections.abc import AsyncGenerator
from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from gateway.routes.dependencies import GatewayParts, WhoCalls
from gateway.routes.session_examples import MESSAGE, SESSION
from gateway.routes.session_paths import SessionId, path_of
from gateway.sessions_client import SessionsClient
from shared.errors import DroverError

PAGE = 100
MEDIA_TYPE = "application/x-ndjson"
_EXAMPLE = "".join(orjson.dumps(line).decode() + "\n" for line in (SESSION, MESSAGE))

router = APIRouter(tags=["sessions"])


@router.get(
    "/v1/sessions/{session_id}/export",
    summary="Export a conversation as JSON lines",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {"example": _EXAMPLE}}}},
)
async def export_session(session_id: SessionId, gateway: GatewayParts, identity: WhoCalls) -> StreamingResponse:
    """The session first, then its messages, oldest first. If it cannot be read to its end the last line says so."""
    head = await gateway.sessions.sessions("GET", path_of(session_id), identity.tenant_id)
    lines = _lines(head.content, gateway.sessions, session_id, identity.tenant_id)
    name = {"Content-Disposition": f'attachment; filename="{orjson.loads(head.content)["id"]}.jsonl"'}
    return StreamingResponse(lines, media_type=MEDIA_TYPE, headers=name)


async def _lines(head: bytes, sessions: SessionsClient, session_id: str, tenant_id: str) -> AsyncGenerator[bytes, None]:
    yield head + b"\n"
    params = {"limit": str(PAGE)}
    has_more = True
    while has_more:
        try:
            answer = await sessions.sessions("GET", f"{path_of(session_id)}/messages", tenant_id, params=params)
        except DroverError as error:
            yield orjson.dumps({"object": "error", **error.body()}) + b"\n"
            return
        page: dict[str, Any] = orjson.loads(answer.content)
        yield b"".join(orjson.dumps(message) + b"\n" for message in page["data"])
        params["after"] = str(page["last_id"])
        has_more = page["has_more"]
