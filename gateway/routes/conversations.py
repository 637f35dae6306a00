"""/v1/conversations: OpenAI's conversations, which are sessions."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Response

from gateway.auth import require_writer
from gateway.responses.conversations import (
    Conversations,
    CreateConversationBody,
    CreateItemsBody,
    UpdateConversationBody,
)
from gateway.routes.answers import answers, listed
from gateway.routes.dependencies import GatewayParts, WhoCalls
from gateway.routes.json_route import JsonRoute
from gateway.routes.response_examples import CONVERSATION, ITEM, deleted
from gateway.routes.responses import IncludeBrackets, IncludeQuery, Items

router = APIRouter(tags=["conversations"], route_class=JsonRoute)


def _conversations(gateway: GatewayParts) -> Conversations:
    return Conversations(gateway.sessions)


TheConversations = Annotated[Conversations, Depends(_conversations)]
ConversationId = Annotated[str, Path(max_length=128)]
ItemId = Annotated[str, Path(max_length=128)]


@router.post(
    "/v1/conversations",
    summary="Open a conversation for responses",
    response_class=Response,
    responses=answers(CONVERSATION),
)
async def create_conversation(
    conversations: TheConversations, identity: WhoCalls, body: CreateConversationBody | None = None
) -> Response:
    """Its id goes into `conversation` of a response. /v1/sessions shows the same conversation as a session."""
    require_writer(identity)
    return _json(await conversations.create(body or CreateConversationBody(), identity.tenant_id))


@router.get(
    "/v1/conversations/{conversation_id}",
    summary="Describe a conversation as responses know it",
    response_class=Response,
    responses=answers(CONVERSATION),
)
async def get_conversation(
    conversation_id: ConversationId, conversations: TheConversations, identity: WhoCalls
) -> Response:
    """Its metadata, and when it was opened; what was said in it are its items."""
    return _json(await conversations.retrieve(conversation_id, identity.tenant_id))


@router.post(
    "/v1/conversations/{conversation_id}",
    summary="Change a conversation's metadata",
    response_class=Response,
    responses=answers(CONVERSATION),
)
async def update_conversation(
    conversation_id: ConversationId,
    body: UpdateConversationBody,
    conversations: TheConversations,
    identity: WhoCalls,
) -> Response:
    """In place of all that there is; null takes it away."""
    require_writer(identity)
    return _json(await conversations.update(conversation_id, body, identity.tenant_id))


@router.delete(
    "/v1/conversations/{conversation_id}",
    summary="Delete a conversation, its items and its responses",
    response_class=Response,
    responses=answers(deleted(CONVERSATION, "conversation.deleted")),
)
async def delete_conversation(
    conversation_id: ConversationId, conversations: TheConversations, identity: WhoCalls
) -> Response:
    """For good, as the session that it is in /v1/sessions."""
    require_writer(identity)
    return _json(await conversations.delete(conversation_id, identity.tenant_id))


@router.post(
    "/v1/conversations/{conversation_id}/items",
    summary="Add items to a conversation",
    response_class=Response,
    responses=answers(listed(ITEM)),
)
async def create_items(
    conversation_id: ConversationId,
    body: CreateItemsBody,
    conversations: TheConversations,
    identity: WhoCalls,
    include: IncludeQuery = None,
    include_brackets: IncludeBrackets = None,
) -> Response:
    """409 while a response is in progress in it."""
    require_writer(identity)
    return _json(await conversations.add_items(conversation_id, body, identity.tenant_id))


@router.get(
    "/v1/conversations/{conversation_id}/items",
    summary="List a conversation's items, newest first unless asked otherwise",
    response_class=Response,
    responses=answers(listed(ITEM)),
)
async def list_items(
    conversation_id: ConversationId,
    conversations: TheConversations,
    identity: WhoCalls,
    page: Items,
    include: IncludeQuery = None,
    include_brackets: IncludeBrackets = None,
) -> Response:
    """Messages, function calls and their outputs, a page at a time: `last_id` goes into the next page's `after`."""
    return _json(await conversations.items(conversation_id, identity.tenant_id, page))


@router.get(
    "/v1/conversations/{conversation_id}/items/{item_id}",
    summary="Read one item of a conversation",
    response_class=Response,
    responses=answers(ITEM),
)
async def get_item(
    conversation_id: ConversationId,
    item_id: ItemId,
    conversations: TheConversations,
    identity: WhoCalls,
    include: IncludeQuery = None,
    include_brackets: IncludeBrackets = None,
) -> Response:
    """In the form that a response's input takes."""
    return _json(await conversations.item(conversation_id, item_id, identity.tenant_id))


@router.delete(
    "/v1/conversations/{conversation_id}/items/{item_id}",
    summary="Take one item out of a conversation",
    response_class=Response,
    responses=answers(CONVERSATION),
)
async def delete_item(
    conversation_id: ConversationId, item_id: ItemId, conversations: TheConversations, identity: WhoCalls
) -> Response:
    """Answers the conversation. An item that shares a message with others (a text with its calls) stays: 400."""
    require_writer(identity)
    return _json(await conversations.delete_item(conversation_id, item_id, identity.tenant_id))


def _json(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")
