"""OpenAI's conversations, which are sessions."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.responses.body import no_conversation, require_session_id
from gateway.responses.given_items import GivenItem, messages_of
from gateway.responses.identifiers import conversation_id, message_id_of
from gateway.responses.item_pages import ItemPage, item_list, listed
from gateway.responses.shown_items import items_of
from gateway.sessions_client import SessionsClient
from shared.bodies.sessions import OpenSessionBody, SessionBody, UpdateSessionBody
from shared.bodies.stored_messages import AppendMessagesBody, StoredMessageBody, StoredMessageListBody
from shared.bodies.turns import Metadata
from shared.errors import BadRequestError, NotFoundError, SessionNotFoundError

MAX_ITEMS_AT_ONCE = 20
"""OpenAI's."""


class CreateConversationBody(BaseModel):
    """POST /v1/conversations."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"items": [{"role": "user", "content": "My name is Anna."}]}}
    )

    items: Annotated[list[GivenItem], Field(max_length=MAX_ITEMS_AT_ONCE)] | None = None
    metadata: Metadata | None = None


class UpdateConversationBody(BaseModel):
    """POST /v1/conversations/{id}."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"metadata": {"topic": "names"}}})

    metadata: Metadata | None = Field(description="in place of all that there is; null takes it away")


class CreateItemsBody(BaseModel):
    """POST /v1/conversations/{id}/items."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"items": [{"role": "user", "content": "My cat is called Tom."}]}}
    )

    items: list[GivenItem] = Field(min_length=1, max_length=MAX_ITEMS_AT_ONCE)


class Conversations:
    """Conversations and their items. Every method raises NotFoundError for one that is not the tenant's."""

    def __init__(self, sessions: SessionsClient):
        self._sessions = sessions

    async def create(self, body: CreateConversationBody, tenant_id: str) -> dict[str, Any]:
        opened = OpenSessionBody(messages=list(messages_of(body.items or ())), metadata=body.metadata or {})
        answer = await self._sessions.sessions("POST", "", tenant_id, body=opened)
        return _document(SessionBody.model_validate_json(answer.content))

    async def retrieve(self, conversation: str, tenant_id: str) -> dict[str, Any]:
        return _document(SessionBody.model_validate_json(await self._call("GET", conversation, "", tenant_id)))

    async def update(self, conversation: str, body: UpdateConversationBody, tenant_id: str) -> dict[str, Any]:
        changed = UpdateSessionBody(metadata=body.metadata)
        answer = await self._call("PATCH", conversation, "", tenant_id, body=changed)
        return _document(SessionBody.model_validate_json(answer))

    async def delete(self, conversation: str, tenant_id: str) -> dict[str, Any]:
        await self._call("DELETE", conversation, "", tenant_id)
        return {"id": conversation, "object": "conversation.deleted", "deleted": True}

    async def add_items(self, conversation: str, body: CreateItemsBody, tenant_id: str) -> dict[str, Any]:
        """Raises SessionBusyError while a response is in progress, BadRequestError for items that are none."""
        messages = list(messages_of(body.items))
        if not messages:
            raise BadRequestError("There is nothing to add.", param="items")
        added = AppendMessagesBody(messages=messages)
        answer = await self._call("POST", conversation, "/messages", tenant_id, body=added)
        found = StoredMessageListBody.model_validate_json(answer)
        return item_list([item for message in found.data for item in items_of(message)])

    async def items(self, conversation: str, tenant_id: str, page: ItemPage) -> dict[str, Any]:
        async def read(params: dict[str, str]) -> StoredMessageListBody:
            answer = await self._call("GET", conversation, "/messages", tenant_id, params=params)
            return StoredMessageListBody.model_validate_json(answer)

        return await listed(page, read)

    async def item(self, conversation: str, item_id: str, tenant_id: str) -> dict[str, Any]:
        items = await self._items_beside(conversation, item_id, tenant_id)
        return next(item for item in items if item["id"] == item_id)

    async def delete_item(self, conversation: str, item_id: str, tenant_id: str) -> dict[str, Any]:
        """Answers the conversation, as OpenAI does. Raises BadRequestError for a part of an assistant's message."""
        items = await self._items_beside(conversation, item_id, tenant_id)
        if len(items) > 1:
            raise BadRequestError(
                "This item is part of one message with others, which a model must see together; it cannot be deleted "
                "alone."
            )
        await self._call("DELETE", conversation, f"/messages/{message_id_of(item_id)}", tenant_id)
        return await self.retrieve(conversation, tenant_id)

    async def _items_beside(self, conversation: str, item_id: str, tenant_id: str) -> list[dict[str, Any]]:
        """The items of the message that holds this one."""
        missing = NotFoundError(f"Item with id '{item_id}' not found in conversation with id '{conversation}'.")
        message_id = message_id_of(item_id)
        if message_id is None:
            raise missing
        try:
            answer = await self._call("GET", conversation, f"/messages/{message_id}", tenant_id)
        except NotFoundError as error:
            if error.param == "conversation":
                raise
            raise missing from None
        items = items_of(StoredMessageBody.model_validate_json(answer))
        if all(item["id"] != item_id for item in items):
            raise missing
        return items

    async def _call(
        self,
        method: str,
        conversation: str,
        path: str,
        tenant_id: str,
        *,
        body: BaseModel | None = None,
        params: dict[str, str] | None = None,
    ) -> bytes:
        at = f"/{require_session_id(conversation)}{path}"
        try:
            answer = await self._sessions.sessions(method, at, tenant_id, body=body, params=params)
        except SessionNotFoundError:
            raise no_conversation(conversation) from None
        return answer.content


def _document(session: SessionBody) -> dict[str, Any]:
    return {
        "id": conversation_id(session.id),
        "object": "conversation",
        "created_at": session.created_at,
        "metadata": session.metadata,
    }
