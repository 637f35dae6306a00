"""/v1/sessions: passed on to the session service in the caller's name."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from httpx import Response as Answer

from gateway.auth import require_writer
from gateway.routes import session_export
from gateway.routes.answers import answers, listed
from gateway.routes.dependencies import GatewayParts, WhoCalls
from gateway.routes.json_route import JsonRoute
from gateway.routes.session_examples import MESSAGE, SESSION, TURN
from gateway.routes.session_paths import SessionId, path_of
from shared.bodies.sessions import (
    CreateSessionBody,
    DeletedBody,
    ForkSessionBody,
    SessionBody,
    SessionListBody,
    UpdateSessionBody,
)
from shared.bodies.stored_messages import StoredMessageListBody
from shared.bodies.stored_turns import TurnListBody

router = APIRouter(tags=["sessions"], route_class=JsonRoute)
router.include_router(session_export.router)


def _page(
    limit: Annotated[int | None, Query(ge=1, le=100)] = None,
    after: Annotated[str | None, Query(max_length=128, description="`last_id` of the page before")] = None,
    before: Annotated[str | None, Query(max_length=128, description="`first_id` of the page after")] = None,
    order: Annotated[Literal["asc", "desc"] | None, Query(description="by age")] = None,
) -> dict[str, str]:
    given = (("limit", limit), ("after", after), ("before", before), ("order", order))
    return {name: str(value) for name, value in given if value is not None}


Page = Annotated[dict[str, str], Depends(_page)]


def _passed_on(answer: Answer) -> Response:
    return Response(answer.content, status_code=answer.status_code, media_type="application/json")


@router.post(
    "/v1/sessions",
    summary="Open a conversation that Drover remembers",
    response_class=Response,
    responses=answers(SESSION, model=SessionBody),
)
async def create_session(body: CreateSessionBody, gateway: GatewayParts, identity: WhoCalls) -> Response:
    """Its id goes into `session_id` of chat completions, which then take the new messages only."""
    require_writer(identity)
    return _passed_on(await gateway.sessions.sessions("POST", "", identity.tenant_id, body=body))


@router.get(
    "/v1/sessions",
    summary="List conversations, newest first unless asked otherwise",
    response_class=Response,
    responses=answers(listed({**SESSION, "usage": None}), model=SessionListBody),
)
async def list_sessions(gateway: GatewayParts, identity: WhoCalls, page: Page) -> Response:
    """A page at a time: `last_id` goes into the next page's `after`. `usage` is told of one conversation only."""
    return _passed_on(await gateway.sessions.sessions("GET", "", identity.tenant_id, params=page))


@router.get(
    "/v1/sessions/{session_id}",
    summary="Describe a conversation, and what it has used",
    response_class=Response,
    responses=answers(SESSION, model=SessionBody),
)
async def get_session(session_id: SessionId, gateway: GatewayParts, identity: WhoCalls) -> Response:
    """`usage` counts the turns that have ended, and the tokens of each model."""
    return _passed_on(await gateway.sessions.sessions("GET", path_of(session_id), identity.tenant_id))


@router.post("/v1/sessions/{session_id}", include_in_schema=False)  # as OpenAI's clients change things
@router.patch(
    "/v1/sessions/{session_id}",
    summary="Change a conversation's title or metadata",
    response_class=Response,
    responses=answers(SESSION, model=SessionBody),
)
async def update_session(
    session_id: SessionId, body: UpdateSessionBody, gateway: GatewayParts, identity: WhoCalls
) -> Response:
    """What the body does not name stays as it is."""
    require_writer(identity)
    answer = await gateway.sessions.sessions("PATCH", path_of(session_id), identity.tenant_id, body=body)
    return _passed_on(answer)


@router.delete(
    "/v1/sessions/{session_id}",
    summary="Delete a conversation and its messages",
    response_class=Response,
    responses=answers({"id": "sess_0198c0de", "object": "session.deleted", "deleted": True}, model=DeletedBody),
)
async def delete_session(session_id: SessionId, gateway: GatewayParts, identity: WhoCalls) -> Response:
    """For good. Forks of it stay."""
    require_writer(identity)
    return _passed_on(await gateway.sessions.sessions("DELETE", path_of(session_id), identity.tenant_id))


@router.post(
    "/v1/sessions/{session_id}/fork",
    summary="Begin a conversation with the history of another one up to a message",
    response_class=Response,
    responses=answers(
        {
            **SESSION,
            "id": "sess_0198f02c",
            "forked_from": {"session_id": "sess_0198c0de", "message_id": "msg_0198c0de"},
        },
        model=SessionBody,
    ),
)
async def fork_session(
    session_id: SessionId, body: ForkSessionBody, gateway: GatewayParts, identity: WhoCalls
) -> Response:
    """To edit a message, fork with `inclusive` false at it and say it anew in the fork; the original stays."""
    require_writer(identity)
    path = f"{path_of(session_id)}/fork"
    return _passed_on(await gateway.sessions.sessions("POST", path, identity.tenant_id, body=body))


@router.get(
    "/v1/sessions/{session_id}/messages",
    summary="List a conversation's messages, oldest first unless asked otherwise",
    response_class=Response,
    responses=answers(listed(MESSAGE), model=StoredMessageListBody),
)
async def list_messages(session_id: SessionId, gateway: GatewayParts, identity: WhoCalls, page: Page) -> Response:
    """With the tokens of each; an assistant's also says how it ended and what its turn used and dropped."""
    path = f"{path_of(session_id)}/messages"
    return _passed_on(await gateway.sessions.sessions("GET", path, identity.tenant_id, params=page))


@router.get(
    "/v1/sessions/{session_id}/turns",
    summary="List a conversation's turns: how each ended, what it used and what it dropped of the history",
    response_class=Response,
    responses=answers(listed(TURN), model=TurnListBody),
)
async def list_turns(session_id: SessionId, gateway: GatewayParts, identity: WhoCalls, page: Page) -> Response:
    """Turns that failed or were cancelled are among them; their partial replies, too."""
    path = f"{path_of(session_id)}/turns"
    return _passed_on(await gateway.sessions.sessions("GET", path, identity.tenant_id, params=page))
