"""/v1/responses: OpenAI's stateful API."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from gateway.auth import require_writer
from gateway.caller import Caller
from gateway.event_stream import EventStream
from gateway.responses.body import CreateResponseBody, Includable
from gateway.responses.item_pages import ItemPage
from gateway.responses.responses import Live, Over, Responses
from gateway.responses.stored import stored_document, stored_stream
from gateway.responses.stream import FROM_THE_BEGINNING
from gateway.routes.answers import answers, listed
from gateway.routes.asking import asked_of
from gateway.routes.dependencies import GatewayParts, IdempotencyKey, WhoCalls
from gateway.routes.json_route import JsonRoute
from gateway.routes.response_examples import ITEM, RESPONSE, STREAM, deleted
from gateway.running import Running
from gateway.service import Gateway

router = APIRouter(tags=["responses"], route_class=JsonRoute)


def _responses(gateway: GatewayParts) -> Responses:
    return Responses(gateway.completions, gateway.sessions, gateway.jobs)


def _item_page(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Annotated[Literal["asc", "desc"], Query(description="by age")] = "desc",
    after: Annotated[str | None, Query(max_length=128, description="`last_id` of the page before")] = None,
) -> ItemPage:
    return ItemPage(limit, order, after)


TheResponses = Annotated[Responses, Depends(_responses)]
Items = Annotated[ItemPage, Depends(_item_page)]
ResponseId = Annotated[str, Path(max_length=128)]
IncludeQuery = Annotated[
    list[Includable] | None,
    Query(alias="include", description="ignored: logprobs are not stored, all else is not here"),
]
IncludeBrackets = Annotated[list[Includable] | None, Query(alias="include[]", include_in_schema=False)]

AS_JSON_OR_STREAM = answers(RESPONSE, stream=STREAM)


@router.post(
    "/v1/responses",
    summary="Answer, and remember: as a whole, as a stream or in the background",
    response_class=Response,
    responses=AS_JSON_OR_STREAM,
)
async def create_response(
    body: CreateResponseBody,
    request: Request,
    gateway: GatewayParts,
    responses: TheResponses,
    identity: WhoCalls,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """OpenAI's responses. `previous_response_id` or `conversation` brings the history; `input` is the new part only."""
    caller = Caller(request.receive)
    asked = asked_of(gateway, identity, body.ask(), body, idempotency_key)
    begun = await responses.begin(asked, caller)
    if body.stream:
        return _streamed(gateway, responses, begun)
    if isinstance(begun, Over):
        return _json(stored_document(begun.turn))
    headers = begun.running.headers()
    if not body.background:
        return Response(await responses.whole(begun, caller), media_type="application/json", headers=headers)
    if begun.running.is_return:
        return _json(await responses.retrieve(begun.described.id, identity.tenant_id), headers)
    return _json(begun.described.document("queued"), headers)


@router.get(
    "/v1/responses/{response_id}",
    summary="Read a response as it stands, or take up its stream on any gateway",
    response_class=Response,
    responses=AS_JSON_OR_STREAM,
)
async def get_response(
    response_id: ResponseId,
    gateway: GatewayParts,
    responses: TheResponses,
    identity: WhoCalls,
    stream: bool = False,
    starting_after: Annotated[
        int | None, Query(ge=0, le=2**53, description="the `sequence_number` of the last event that was received")
    ] = None,
    last_event_id: Annotated[
        int | None, Header(alias="Last-Event-ID", ge=0, le=2**53, description="the same, as browsers send it")
    ] = None,
    include: IncludeQuery = None,
    include_brackets: IncludeBrackets = None,
    include_obfuscation: Annotated[bool, Query(description="ignored: nothing is added to hide lengths")] = False,
) -> Response:
    """With `stream` every event after `starting_after`, to the byte as it was sent before, then the live ones."""
    if not stream:
        return _json(await responses.retrieve(response_id, identity.tenant_id))
    given = last_event_id if last_event_id is not None else starting_after
    after = FROM_THE_BEGINNING if given is None else given
    return _streamed(gateway, responses, await responses.resume(response_id, identity, after=after), after=after)


@router.post(
    "/v1/responses/{response_id}/cancel",
    summary="Cancel a background response",
    response_class=Response,
    responses=answers({**RESPONSE, "status": "cancelled", "background": True, "output": []}),
)
async def cancel_response(response_id: ResponseId, responses: TheResponses, identity: WhoCalls) -> Response:
    """One that has ended stays as it is."""
    require_writer(identity)
    return _json(await responses.cancel(response_id, identity.tenant_id))


@router.delete(
    "/v1/responses/{response_id}",
    summary="Delete a response",
    response_class=Response,
    responses=answers(deleted(RESPONSE, "response")),
)
async def delete_response(response_id: ResponseId, responses: TheResponses, identity: WhoCalls) -> Response:
    """What goes on from it goes on from the one before it. Of a conversation's response the items stay."""
    require_writer(identity)
    return _json(await responses.delete(response_id, identity.tenant_id))


@router.get(
    "/v1/responses/{response_id}/input_items",
    summary="List what a response began with, newest first unless asked otherwise",
    response_class=Response,
    responses=answers(listed(ITEM)),
)
async def list_input_items(
    response_id: ResponseId,
    responses: TheResponses,
    identity: WhoCalls,
    page: Items,
    include: IncludeQuery = None,
    include_brackets: IncludeBrackets = None,
) -> Response:
    """Its own input only; what went before is the input of the responses before."""
    return _json(await responses.input_items(response_id, identity.tenant_id, page))


async def stream_of_job(gateway: Gateway, running: Running, tenant_id: str, last_number: int | None) -> EventStream:
    """A response's stream for who names its job; `last_number` is the last event's that was received."""
    responses = _responses(gateway)
    after = FROM_THE_BEGINNING if last_number is None else last_number
    return _streamed(gateway, responses, await responses.of_job(running, tenant_id), after=after)


def _json(document: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(document), media_type="application/json", headers=headers)


def _streamed(
    gateway: Gateway, responses: Responses, begun: Live | Over, *, after: int = FROM_THE_BEGINNING
) -> EventStream:
    live = begun.running if isinstance(begun, Live) else None
    return EventStream(
        responses.frames(begun, after=after) if isinstance(begun, Live) else _at_once(stored_stream(begun.turn)),
        headers=live.headers() if live is not None else {},
        stall_s=gateway.settings.send_stall_s,
        on_gone=lambda: gateway.completions.give_up(live) if live is not None else None,
    )


async def _at_once(frames: bytes) -> AsyncGenerator[bytes, None]:
    yield frames
